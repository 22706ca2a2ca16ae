"""MLflow: one run per model, the registry of bundles, and its aliases. The only module that talks to MLflow.

Training side only; nothing that serves imports it. What serves is decided by promotion records in Chekara's own
database, which the alias ``champion`` mirrors for people who look at MLflow.
"""

from __future__ import annotations

import logging
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

# MLflow reads these while it is imported: nothing is told to the outside, nothing is unpickled, no bars of its own.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import pandas as pd
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.model import ModelInfo

from chekara.adapters.pyfunc_contract import pyfunc_signature
from chekara.errors import ConfigurationError, NotFoundError, TrainingError
from chekara.modelling.spec import ModelSpec
from chekara.settings import Settings

EXPERIMENT = "chekara"
CHALLENGER, CHAMPION = "challenger", "champion"
_SCRIPT = Path(__file__).with_name("pyfunc_script.py")
_LONGEST_PARAMETER = 6000  # characters MLflow takes
_LONGEST_DATASET_DIGEST = 36  # characters MLflow takes
_REGISTER_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class RegisteredBundle:
    """A bundle in the registry.

    Attributes
    ----------
    domain : str
        Name of the registered model.
    version : str
        Registry version, the one that the bundle itself names.
    digest : str
        ``sha256:...`` of the bundle.
    folder : Path
        The bundle on this machine.
    """

    domain: str
    version: str
    digest: str
    folder: Path


class TrackedRun:
    """One MLflow run that is open for writing. Made by `ModelTracker.run`."""

    def __init__(self, client: mlflow.MlflowClient, run_id: str, domain: str) -> None:
        self._client = client
        self.run_id = run_id
        self.domain = domain

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """Log parameters; over-long values are cut, as MLflow would refuse them."""
        mlflow.log_params({name: str(value)[:_LONGEST_PARAMETER] for name, value in parameters.items()})

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log figures by name."""
        mlflow.log_metrics(dict(metrics))

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        mlflow.set_tags(dict(tags))

    def log_history(self, name: str, digest: str, directory: Path) -> None:
        """Log which history the run learned from, by the digest of its bytes; the data itself stays where it is."""
        source = resolve_dataset_source(str(directory))
        short = digest.removeprefix("sha256:")[:_LONGEST_DATASET_DIGEST]
        dataset = MetaDataset(source=source, name=name, digest=short)  # type: ignore[abstract]  # typed wrongly there
        mlflow.log_input(dataset, "training")
        mlflow.set_tag("history_digest", digest)

    def log_figure(self, name: str, figure: Any) -> None:
        """Log a matplotlib figure as ``plots/<name>.png``."""
        mlflow.log_figure(figure, f"plots/{name}.png", save_kwargs={"dpi": 144})

    def log_text(self, name: str, text: str) -> None:
        """Log a text file."""
        mlflow.log_text(text, name)

    def register(
        self,
        write: Callable[[str, Path], str],
        spec: ModelSpec,
        example: pd.DataFrame,
        tags: Mapping[str, str],
        scratch: Path,
    ) -> RegisteredBundle:
        """Write the bundle, log it as a stock pyfunc model and register it as the domain's ``challenger``.

        The bundle is signed with its registry version inside, which MLflow gives only afterwards: the next one is
        assumed, checked, and the bundle written again where somebody else took it meanwhile.

        Parameters
        ----------
        write : callable
            ``(version, folder) -> digest``: writes the signed bundle.
        spec : ModelSpec
            Decides the input columns of the pyfunc.
        example : DataFrame
            Raw contract rows, kept as the input example and scored once to prove that the model loads.
        tags : mapping of str to str
            Put on the model version.
        scratch : Path
            Folder to write the bundle under.

        Returns
        -------
        RegisteredBundle

        Raises
        ------
        TrainingError
            Other trainings took the version each time.
        """
        version = self._next_version()
        for _ in range(_REGISTER_ATTEMPTS):
            folder = scratch / f"{self.domain}-{version}" / "bundle"
            digest = write(str(version), folder)
            registered = self._register_once(self._log_model(folder, spec, example))
            if registered == version:
                mlflow.log_artifacts(str(folder), "bundle")
                for name, value in {**tags, "bundle_digest": digest}.items():
                    self._client.set_model_version_tag(self.domain, str(version), name, value)
                self._client.set_registered_model_alias(self.domain, CHALLENGER, str(version))
                return RegisteredBundle(self.domain, str(version), digest, folder)
            self._client.delete_model_version(self.domain, str(registered))
            version = registered + 1
        raise TrainingError("other trainings of this domain registered meanwhile", where=self.domain, hint="run again")

    def _next_version(self) -> int:
        taken = self._client.search_model_versions(f"name='{self.domain}'")
        return max((int(v.version) for v in taken), default=0) + 1

    def _log_model(self, folder: Path, spec: ModelSpec, example: pd.DataFrame) -> ModelInfo:
        # Named explicitly: inferring requirements would load the model in a second process and guess.
        requirements = [f"{name}=={installed_version(name)}" for name in ("chekara", "mlflow")]
        logged: ModelInfo = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_SCRIPT),
            artifacts={"bundle": str(folder)},
            signature=pyfunc_signature(spec),
            input_example=example,
            pip_requirements=requirements,
        )
        return logged

    def _register_once(self, logged: ModelInfo) -> int:
        """Make the next version of the registered model from what was logged; returns its number."""
        if not self._client.search_registered_models(f"name='{self.domain}'"):
            self._client.create_registered_model(self.domain)
        made = self._client.create_model_version(
            self.domain, logged.model_uri, run_id=self.run_id, model_id=logged.model_id
        )
        return int(made.version)


@contextmanager
def _impatient() -> Iterator[None]:
    """Let a tracking server that is not there be known within some seconds; MLflow asks for more than a minute."""
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    added = {name: value for name, value in limits.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


class ModelTracker:
    """Runs and registry of one installation.

    Parameters
    ----------
    settings : Settings
        ``tracking_uri`` says where runs go. With the default (SQLite under ``home``) artifacts lie in
        ``home/mlartifacts``; a tracking server keeps its own.

    Raises
    ------
    ConfigurationError
        The tracking store cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        _quieten()
        settings.home.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_registry_uri(settings.tracking_uri)
        self._client = mlflow.MlflowClient()
        try:
            with _impatient():
                self._experiment_id = self._experiment()
        except MlflowException as error:
            raise ConfigurationError(
                "the tracking store cannot be opened", where="MLFLOW_TRACKING_URI", hint="is the server running?"
            ) from error

    @contextmanager
    def run(self, domain: str, name: str) -> Iterator[TrackedRun]:
        """Open a run; an error inside marks it failed and is passed on.

        Parameters
        ----------
        domain : str
        name : str
            What people read in the list of runs.
        """
        with mlflow.start_run(experiment_id=self._experiment_id, run_name=name) as run:
            tracked = TrackedRun(self._client, run.info.run_id, domain)
            tracked.log_tags({"domain": domain, "git_commit": git_commit() or "unknown"})
            yield tracked

    def set_champion(self, domain: str, version: str) -> None:
        """Point the alias ``champion`` at a version: a mirror of the promotion record."""
        self._client.set_registered_model_alias(domain, CHAMPION, version)

    def mirror_champion(self, domain: str, digest: str) -> str | None:
        """Point the alias ``champion`` at the newest version with a bundle's digest; None where none is registered.

        Parameters
        ----------
        domain : str
        digest : str
            Of the bundle that serves.
        """
        found = [v for v in self._versions(domain) if v.tags.get("bundle_digest") == digest]
        if not found:
            return None
        version = str(max(int(v.version) for v in found))
        self.set_champion(domain, version)
        return version

    def _versions(self, domain: str) -> list[ModelVersion]:
        return list(self._client.search_model_versions(f"name='{domain}'"))

    def fetch_bundle(
        self, domain: str, to: Path, *, version: str | None = None, digest: str | None = None
    ) -> RegisteredBundle:
        """Bring a registered bundle to this machine.

        Parameters
        ----------
        domain : str
        to : Path
            Folder to bring it to.
        version, digest : str, optional
            Exactly one of them names the bundle.

        Returns
        -------
        RegisteredBundle
            Not verified: that is the business of whoever loads it.

        Raises
        ------
        NotFoundError
            No such version is registered.
        ConfigurationError
            Neither or both of version and digest were given.
        """
        if (version is None) == (digest is None):
            raise ConfigurationError("give either a version or a digest", where="--version, --digest")
        found = [
            v
            for v in self._versions(domain)
            if str(v.version) == version or (digest is not None and v.tags.get("bundle_digest") == digest)
        ]
        if not found:
            raise NotFoundError("no such model version is registered", where=domain, hint="look it up in MLflow")
        newest = max(found, key=lambda v: int(v.version))
        folder = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{domain}/{newest.version}", dst_path=str(to)
        )
        return RegisteredBundle(
            domain, str(newest.version), newest.tags.get("bundle_digest", ""), Path(folder) / "artifacts" / "bundle"
        )

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        is_server = self._settings.tracking_uri.startswith(("http://", "https://", "databricks"))
        location = None if is_server else (self._settings.home / "mlartifacts").as_uri()
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=location))


def git_commit() -> str | None:
    """Return the commit of the checkout that this package runs from, with ``+`` if files differ; None without one."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+" if changed else commit


def _quieten() -> None:
    """Leave the screen to the trainer: MLflow announces its migrations and every file it copies."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"mlflow\..*")
