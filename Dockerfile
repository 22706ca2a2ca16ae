# Two images from one file: `docker build --target scorer .` answers at the border; `docker build --target trainer .` makes models.
# The scorer has no MLflow, no scikit-learn, no training code and no private key.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS base
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN useradd --system --uid 10001 --create-home --home-dir /home/chekara chekara
WORKDIR /app

# Only what the product itself needs, at the versions and hashes of the one lock.
FROM base AS core
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], 'hatchling', 'editables', sep='\n')" > core.in \
 && pip install --require-hashes --constraint requirements.lock --requirement core.in
COPY src src
RUN pip install --no-deps --no-build-isolation . && pip uninstall --yes hatchling editables

FROM core AS scorer
# Root may be mounted read-only: state lies in the volume, compiled kernels in a cache that belongs to this processor.
ENV CHEKARA_HOME=/var/lib/chekara NUMBA_CACHE_DIR=/var/cache/chekara/numba
RUN mkdir -p "$CHEKARA_HOME" "$NUMBA_CACHE_DIR" && chown -R chekara:chekara "$CHEKARA_HOME" /var/cache/chekara
USER chekara
VOLUME ["/var/lib/chekara", "/var/cache/chekara"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["chekara", "serve", "--host", "0.0.0.0", "--port", "8000"]

FROM core AS trainer
# Everything of the lock except what only tests and benchmarks need: the train extra.
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['train'], sep='\n')" > train.in \
 && pip install --require-hashes --constraint requirements.lock --requirement train.in
COPY models models
COPY training training
ENV CHEKARA_HOME=/var/lib/chekara NUMBA_CACHE_DIR=/var/cache/chekara/numba
RUN mkdir -p "$CHEKARA_HOME" "$NUMBA_CACHE_DIR" && chown -R chekara:chekara "$CHEKARA_HOME" /var/cache/chekara
USER chekara
VOLUME ["/var/lib/chekara"]
ENTRYPOINT ["python", "-m", "training.train"]
