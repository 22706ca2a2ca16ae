"""The few lines that MLflow stores beside a registered bundle and runs to load it (models from code, no pickle).

The bundle is verified like everywhere else: signature, digests, columns, and only then parsed. A key shipped beside
the bundle would prove nothing, since whoever changes the one can change the other; the trusted public keys therefore
come from the machine that loads the model: ``CHEKARA_HOME/keys/trusted`` (``CHEKARA_HOME`` defaults to ``./var``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from chekara.adapters.pyfunc_columns import CONTRIBUTIONS
from chekara.adapters.pyfunc_scoring import score_rows
from chekara.modelling.bundle import load_trusted_keys, read_bundle
from chekara.modelling.model import Model
from chekara.settings import Settings


class BundleModel(PythonModel):
    """A verified bundle behind MLflow's plainest interface."""

    def load_context(self, context: Any) -> None:
        """Verify and read the bundle.

        Raises
        ------
        BundleRefusedError
            It is not signed by a key that this machine trusts, or was changed.
        """
        trusted = load_trusted_keys(Settings.from_environment())
        self._model: Model = read_bundle(Path(context.artifacts["bundle"]), trusted)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score raw contract rows.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
        model_input : DataFrame
            As `chekara.adapters.pyfunc_scoring.score_rows` takes it.
        params : dict, optional
            ``contributions``: whether to add one column per feature.

        Returns
        -------
        DataFrame
        """
        return score_rows(self._model, model_input, with_contributions=bool((params or {}).get(CONTRIBUTIONS)))


set_model(BundleModel())
