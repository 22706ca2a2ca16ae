"""A search for LightGBM's parameters, within a budget: an option of training, never of serving.

What is searched for is the log loss on forward blocks that lie before the test slice, the same by which the number of
trees is chosen; so what the recipe is judged on has no part in it. The values found become part of the spec's text,
and so of the bundle: what is registered is what was judged.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import optuna

from chekara.errors import ConfigurationError
from chekara.modelling.dataset import Dataset
from chekara.modelling.forward import Progress, forward_margins
from chekara.modelling.spec import ModelSpec, parse_spec
from chekara.modelling.split import split_in_time


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningBudget:
    """How long to search.

    Attributes
    ----------
    trials : int or None
        Parameter sets to try; the same number, history and seed find the same parameters.
    seconds : float or None
        Start no trial after that many seconds; how far it comes depends on the machine.
    """

    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse a search without an end."""
        if self.trials is None and self.seconds is None:
            raise ConfigurationError("a search needs trials or seconds", where="tuning")


def tune_spec(
    dataset: Dataset, spec: ModelSpec, budget: TuningBudget, seed: int, progress: Progress | None = None
) -> ModelSpec:
    """Search LightGBM's parameters on forward blocks before the test slice.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
        Its own parameters are the first trial: what comes back is never worse on these blocks.
    budget : TuningBudget
    seed : int
    progress : callable, optional
        Told (stage, fraction done).

    Returns
    -------
    ModelSpec
        With the best parameters in its text.

    Raises
    ------
    NotEnoughHitsError
        As in `chekara.modelling.recipe.evaluate_recipe`.
    """
    split = split_in_time(
        dataset.as_of,
        dataset.known_at,
        dataset.hit,
        test_share=spec.training.test_share,
        n_blocks=spec.training.forward_blocks,
        minimum_hits=spec.minimum_hits,
    )

    def loss(trial: optuna.Trial) -> float:
        if progress is not None:
            progress(f"tuning, trial {trial.number + 1}", _share_done(trial.number, budget))
        proposed = _proposal(trial)
        trial.set_user_attr("proposed", proposed)
        tried = with_lightgbm(spec, proposed)
        return min(forward_margins(dataset, tried, split.blocks, seed).losses(dataset.hit))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    own = {name: value for name, value in spec.lightgbm.items() if name in _RANGES}
    if set(own) == set(_RANGES):
        study.enqueue_trial(own)
    study.optimize(loss, n_trials=budget.trials, timeout=budget.seconds)
    return with_lightgbm(spec, study.best_trial.user_attrs["proposed"])


# Lowest, highest, whether on a logarithmic scale; whole numbers where both bounds are.
_RANGES: dict[str, tuple[float, float, bool]] = {
    "learning_rate": (0.01, 0.1, True),
    "num_leaves": (4, 63, True),
    "min_data_in_leaf": (10, 200, True),
    "feature_fraction": (0.1, 0.8, False),
    "lambda_l2": (0.1, 100.0, True),
}


def _proposal(trial: optuna.Trial) -> dict[str, Any]:
    proposed: dict[str, Any] = {}
    for name, (low, high, is_log) in _RANGES.items():
        if isinstance(low, int):
            proposed[name] = trial.suggest_int(name, low, int(high), log=is_log)
        else:
            proposed[name] = float(f"{trial.suggest_float(name, low, high, log=is_log):.4g}")
    return proposed


def _share_done(number: int, budget: TuningBudget) -> float:
    return 0.0 if budget.trials is None else min(number / budget.trials, 1.0)


def with_lightgbm(spec: ModelSpec, values: dict[str, Any]) -> ModelSpec:
    """Put other LightGBM parameters into a spec and its text.

    Parameters
    ----------
    spec : ModelSpec
    values : dict
        Numbers by parameter; those that the text has are replaced in their line, others join the table.

    Returns
    -------
    ModelSpec
    """
    head, table, rest = _around_table(spec.text)
    for name, value in values.items():
        line = f"{name} = {_toml_number(value)}"
        table, found = re.subn(rf"^{name}\s*=.*$", f"{line}  # tuned", table, flags=re.MULTILINE)
        table = table if found else f"{table.rstrip()}\n{line}  # tuned\n\n"
    return parse_spec(head + table + rest, f"{spec.domain}/model.toml")


def _around_table(text: str) -> tuple[str, str, str]:
    begin = text.index("[lightgbm]")
    end = text.find("\n[", begin)
    return (text[:begin], text[begin:], "") if end < 0 else (text[:begin], text[begin : end + 1], text[end + 1 :])


def _toml_number(value: float) -> str:
    return str(value) if isinstance(value, int) or not math.isfinite(value) else repr(float(value))
