"""The service that one would write first: pydantic, a DataFrame, `predict` twice; run with the peers' own Python.

    BENCH_MODEL=model.txt uvicorn peer_service:app

One model, one row, no key, no log, no profiles.
"""

from __future__ import annotations

import os
from typing import Any

import lightgbm as lgb
import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

booster = lgb.Booster(model_file=os.environ["BENCH_MODEL"])
names = booster.feature_name()
fields: dict[str, Any] = dict.fromkeys(names, (float | None, None))
Row: Any = create_model("Row", **fields)
app = FastAPI()


@app.get("/")
def ready() -> dict[str, str]:
    """Say that the server listens."""
    return {"hello": "world"}


@app.post("/score")
def score(row: Row) -> dict[str, Any]:
    """Predict and explain one row."""
    frame = pd.DataFrame([row.model_dump()], dtype=float)
    contributions = booster.predict(frame, pred_contrib=True)[0]
    return {
        "probability": float(booster.predict(frame)[0]),
        "contributions": dict(zip([*names, "base_value"], map(float, contributions), strict=True)),
    }
