"""All settings, read once from the environment and passed down. Nothing below reads the environment again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chekara.errors import ConfigurationError

Environment = Literal["dev", "production"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost.

    Attributes
    ----------
    body_bytes, batch_bytes : int
        Largest body of a single request and of a batch, bytes.
    items : int
        Most goods lines of one crossing.
    batch_rows : int
        Most crossings of one batch.
    text_characters : int
        Longest string in a body.
    queue_length : int
        Requests that may wait for the writer before new ones are turned away (429).
    answer_seconds : float
        An answer comes within this time, else 503.
    """

    body_bytes: int = 2 * 1024 * 1024
    batch_bytes: int = 16 * 1024 * 1024
    items: int = 2_000
    batch_rows: int = 1_000
    text_characters: int = 512
    queue_length: int = 512
    answer_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where Chekara keeps its things and how it behaves.

    Attributes
    ----------
    home : Path
        ``CHEKARA_HOME``, default ``./var``. Database, bundles and keys lie under it.
    database_url : str
        ``CHEKARA_DATABASE_URL``, default SQLite under ``home``.
    tracking_uri : str
        ``MLFLOW_TRACKING_URI``, default SQLite under ``home``. Only training reads it.
    environment : {'dev', 'production'}
        ``CHEKARA_ENV``, default ``production``. In ``dev`` secrets are made on first use and a model may be
        promoted without a second person; both are logged.
    policy_path : Path or None
        ``CHEKARA_POLICY``: a policy file; None means the one that ships.
    limits : Limits
        What one request may cost; ``CHEKARA_LIMIT_<NAME>`` overrides a field.

    Examples
    --------
    >>> Settings.from_environment({"CHEKARA_HOME": "/srv/chekara", "CHEKARA_ENV": "dev"}).environment
    'dev'
    """

    home: Path
    database_url: str
    tracking_uri: str
    environment: Environment = "production"
    policy_path: Path | None = None
    limits: Limits = Limits()

    @property
    def is_dev(self) -> bool:
        """Whether shortcuts that only development may take are allowed."""
        return self.environment == "dev"

    @property
    def bundles_path(self) -> Path:
        """Folder of signed model bundles, one per digest."""
        return self.home / "bundles"

    @property
    def keys_path(self) -> Path:
        """Folder of secrets and trusted public keys."""
        return self.home / "keys"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Parameters
        ----------
        environ : mapping of str to str, optional
            The environment; default ``os.environ``.

        Returns
        -------
        Settings

        Raises
        ------
        ConfigurationError
            A variable holds something that cannot be used; the variable is named.
        """
        env = os.environ if environ is None else environ
        home = Path(env.get("CHEKARA_HOME") or "var").resolve()
        environment = env.get("CHEKARA_ENV") or "production"
        if environment not in ("dev", "production"):
            raise ConfigurationError("unknown environment", where="CHEKARA_ENV", hint="use dev or production")
        policy = env.get("CHEKARA_POLICY")
        return cls(
            home=home,
            database_url=env.get("CHEKARA_DATABASE_URL") or f"sqlite:///{home / 'chekara.db'}",
            tracking_uri=env.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
            environment=environment,  # type: ignore[arg-type]  # narrowed above; Literal does not follow `in`
            policy_path=Path(policy).resolve() if policy else None,
            limits=_limits_from(env),
        )


def _limits_from(env: Mapping[str, str]) -> Limits:
    values: dict[str, float] = {}
    for name, default in ((f, getattr(Limits(), f)) for f in Limits.__slots__):
        variable = f"CHEKARA_LIMIT_{name.upper()}"
        if not env.get(variable):
            continue
        try:
            value = type(default)(env[variable])
        except ValueError:
            raise ConfigurationError("not a number", where=variable, hint=f"for example {default}") from None
        if not value > 0:  # NaN is not above zero either
            raise ConfigurationError("must be above zero", where=variable, hint=f"for example {default}")
        values[name] = value
    return Limits(**values)  # type: ignore[arg-type]  # each value has the type of its default
