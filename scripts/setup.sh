#!/bin/sh
# From nothing to a working .venv: Debian packages, a virtual environment, every package of the hashed lock, and the project itself.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "chekara: Python 3.11 or newer is needed" >&2; exit 1; }
scripts/system_packages.sh libgomp1
# Debian's own python3 comes without ensurepip; other builds bring it along.
"$python" -c 'import ensurepip, venv' 2>/dev/null || scripts/system_packages.sh python3-venv
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "chekara: installing Python packages (a few minutes the first time)" >&2
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch .venv/.ready
