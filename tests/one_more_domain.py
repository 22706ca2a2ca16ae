"""A country's own risk domain: a policy that knows it, a model that reads its results, profiles of another layout."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from chekara.data.sources import History, load_history, write_history
from chekara.modelling.bundle import load_signing_key, write_bundle
from chekara.modelling.dataset import build_dataset
from chekara.modelling.recipe import refit_on_everything
from chekara.modelling.spec import ModelSpec, parse_spec
from chekara.settings import Settings
from tests.serving import ROOT, SEED

OWN_DOMAIN = "tax_evasion"
_SECTION = f"""
[domains.{OWN_DOMAIN}]
lead = "customs"
informed = ["border_service"]

[domains.{OWN_DOMAIN}.lanes.yellow]
from_risk = 0.9
control = "control.documents"
instruction = "instruction.check_value_and_origin_papers"
due_minutes = 240
"""


def wider_policy(folder: Path) -> Path:
    """Write the policy that ships with one domain more; where it lies."""
    path = folder / "wider.toml"
    text = files("chekara.policy").joinpath("default.toml").read_text("utf-8")
    # Every domain of a policy has its place among those that lead a joint control.
    text = re.sub(r"(?m)^(lead_order = \[)", rf'\1"{OWN_DOMAIN}", ', text)
    path.write_text(text + _SECTION, encoding="utf-8")
    return path


def own_history(of: Path, to: Path) -> History:
    """Write a history again in which half of the controls for revenue fraud were for the country's own domain."""
    history = load_history(of)
    inspections = history.inspections.copy()
    ours = (inspections["domain"] == "revenue_fraud") & (inspections.index % 2 == 0)
    inspections["domain"] = inspections["domain"].mask(ours, OWN_DOMAIN)
    write_history(history.tables | {"inspections": inspections}, to)
    return load_history(to)


def own_spec() -> ModelSpec:
    """Return a spec of the own domain: that of revenue fraud, with results of its own domain alone."""
    text = (ROOT / "models" / "revenue_fraud" / "model.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?ms)^leave_out = \[.*?^\]|^results_of = .*?$|^\"\*.*?$", "", text)
    text = text.replace("[monotone]", f'results_of = ["{OWN_DOMAIN}"]\n[monotone]').replace("revenue_fraud", OWN_DOMAIN)
    return parse_spec(text, f"{OWN_DOMAIN}/model.toml")


def own_bundle(settings: Settings, history: History, folder: Path) -> Path:
    """Train the own domain's model on a history and write its bundle; where it lies."""
    dataset = build_dataset(history, own_spec(), datetime(2100, 1, 1, tzinfo=UTC))
    model = refit_on_everything(dataset, own_spec(), SEED)
    write_bundle(model, folder, load_signing_key(settings), {"trained_by": "trainer", "version": "1"})
    return folder
