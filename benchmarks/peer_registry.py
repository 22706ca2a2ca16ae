"""Register one LightGBM model with MLflow, as prediction and as contributions; run with the peers' own Python.

    python peer_registry.py FOLDER

FOLDER holds ``model.txt`` and becomes a tracking store. Afterwards ``models:/prediction/1`` predicts probabilities with
MLflow's own LightGBM flavour, and ``models:/contributions/1`` returns what ``predict(pred_contrib=True)`` does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lightgbm as lgb
import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

EXPLAINED = """
import lightgbm as lgb
import mlflow


class Explained(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.booster = lgb.Booster(model_file=context.artifacts["model"])

    def predict(self, context, model_input, params=None):
        return self.booster.predict(model_input, pred_contrib=True)


mlflow.models.set_model(Explained())
"""


def register(folder: Path) -> dict[str, str]:
    """Log and register both models.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to str
        Versions of what will serve them.
    """
    booster = lgb.Booster(model_file=str(folder / "model.txt"))
    columns = Schema([ColSpec(DataType.double, name) for name in booster.feature_name()])
    common: dict[str, Any] = {"signature": ModelSignature(inputs=columns), "pip_requirements": ["lightgbm"]}
    (folder / "explained.py").write_text(EXPLAINED, encoding="utf-8")
    with mlflow.start_run():
        mlflow.lightgbm.log_model(booster, name="prediction", registered_model_name="prediction", **common)
        mlflow.pyfunc.log_model(
            name="contributions",
            python_model=str(folder / "explained.py"),
            artifacts={"model": str(folder / "model.txt")},
            registered_model_name="contributions",
            **common,
        )
    return {"mlflow": mlflow.__version__, "lightgbm": lgb.__version__}


if __name__ == "__main__":
    print(json.dumps(register(Path(sys.argv[1]))))
