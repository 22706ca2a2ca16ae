"""What a model is, as reviewed text: ``models/<domain>/model.toml``.

A change of that file is a change of policy, so nothing in it is guessed: an unknown key, a missing one or a value
of the wrong kind is an error that names the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import chekara.features.declared  # noqa: F401  # fills the feature catalogue
from chekara.data.labels import TargetRule
from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS, columns_by_name, is_extension
from chekara.errors import ConfigurationError
from chekara.features.catalogue import FEATURES, FeatureKind
from chekara.toml_lines import LineIndex, parse_toml

Parameters: TypeAlias = Mapping[str, float | int | str | bool]

DEEPEST_TREE = 8  # deeper trees gained no quality when measured, and exact reasons cost more with each level


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingChoice:
    """How categories and prices are encoded.

    Attributes
    ----------
    codes : tuple of str
        Category features, split natively by code.
    price_strength : float
        How many lines the parent's usual price weighs as.
    minimum_count : int
        Lines that a code needs to be told apart.
    """

    codes: tuple[str, ...]
    price_strength: float
    minimum_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingChoice:
    """How much is fitted and on what it is judged.

    Attributes
    ----------
    rounds : tuple of int
        Numbers of trees to choose from, ascending; chosen by loss on forward blocks.
    forward_blocks : int
        Steps in time for out-of-fold margins.
    test_share : float
        Latest share of inspected crossings that the recipe is judged on.
    """

    rounds: tuple[int, ...]
    forward_blocks: int
    test_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model's reviewed text.

    Attributes
    ----------
    name, domain, title : str
    target : TargetRule
        What counts as a hit and as a miss.
    applies_to : mapping of str to tuple of str
        Column to the values that the domain applies to; a missing value applies.
    features : tuple of str
        Columns of the matrix in order: codes, numbers, each with its extensions last.
    extensions : mapping of str to {'number', 'category'}
    encoding : EncodingChoice
    lightgbm : mapping
        LightGBM's own parameters.
    training : TrainingChoice
    lot_hits : int
        From this many hits on, the random lot fits the whole calibration.
    minimum_hits : int
        Fewer known hits, and the domain is skipped.
    text : str
        The TOML as it was read; stored in the bundle.
    """

    name: str
    domain: str
    title: str
    target: TargetRule
    applies_to: Mapping[str, tuple[str, ...]]
    features: tuple[str, ...]
    extensions: Mapping[str, FeatureKind]
    encoding: EncodingChoice
    lightgbm: Parameters
    training: TrainingChoice
    lot_hits: int
    minimum_hits: int
    text: str


# Every key that a spec holds, with its kind. A key ending in "?" may be left out.
_LAYOUT: Mapping[str, Mapping[str, str]] = {
    "": {"name": "str", "domain": "str", "title": "str"},
    "target": {"positive_results": "strs", "negative_methods": "strs", "unstated_method_makes_negative": "bool"},
    "features": {"codes": "strs", "numbers": "strs", "sensitive?": "table"},
    "encoding": {"price_strength": "positive", "minimum_count": "count"},
    "training": {"rounds": "counts", "forward_blocks": "count", "test_share": "share"},
    "calibration": {"lot_hits": "count"},
    "gates": {"minimum_hits": "count"},
}
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda v: isinstance(v, str) and v != "", "a text"),
    "bool": (lambda v: isinstance(v, bool), "true or false"),
    "strs": (lambda v: _are(v, str) and len(set(v)) == len(v), "a list of different texts"),
    "count": (lambda v: type(v) is int and v > 0, "a whole number above zero"),
    "counts": (
        lambda v: _are(v, int) and v == sorted(set(v)) and min(v, default=0) > 0,
        "an ascending list of whole numbers above zero",
    ),
    "positive": (lambda v: type(v) in (int, float) and v > 0, "a number above zero"),
    "share": (lambda v: type(v) is float and 0 < v < 1, "a fraction between 0 and 1"),
}
_FREE_TABLES = ("applies_to", "extensions", "lightgbm")  # their keys are column or parameter names
_FIXED_LIGHTGBM: Parameters = {"objective": "binary", "deterministic": True, "force_row_wise": True}


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)


def load_spec(path: Path) -> ModelSpec:
    """Read and check a spec.

    Raises
    ------
    ConfigurationError
        The file is not there, is not TOML, or says something that cannot be; names the line.
    """
    if not path.is_file():
        raise ConfigurationError("no such model spec", where=path.name, hint="expected models/<domain>/model.toml")
    return parse_spec(path.read_text(encoding="utf-8"), f"{path.parent.name}/{path.name}")


def parse_spec(text: str, where: str) -> ModelSpec:
    """Check a spec's text.

    Parameters
    ----------
    text : str
        TOML.
    where : str
        Name of the file, for errors.

    Raises
    ------
    ConfigurationError
        As in `load_spec`.
    """
    stored = parse_toml(text, where)
    reader = _Reader(stored, LineIndex.of(text), where)
    reader.refuse_unknown_keys()
    root, features, training = reader.table(""), reader.table("features"), reader.table("training")
    extensions = reader.extensions()
    numbers = (*features["numbers"], *(name for name, kind in extensions.items() if kind == "number"))
    codes = (*features["codes"], *(name for name, kind in extensions.items() if kind == "category"))
    named = (*codes, *numbers)
    reader.check_features(named, dict.fromkeys(codes, "category"), extensions)
    encoding = reader.table("encoding")
    return ModelSpec(
        name=root["name"],
        domain=root["domain"],
        title=root["title"],
        target=TargetRule(domain=root["domain"], **reader.table("target")),
        applies_to=reader.applies_to(),
        features=named,
        extensions=extensions,
        encoding=EncodingChoice(codes=codes, **encoding),
        lightgbm=reader.lightgbm(),
        training=TrainingChoice(**training),
        lot_hits=reader.table("calibration")["lot_hits"],
        minimum_hits=reader.table("gates")["minimum_hits"],
        text=text,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads tables of one spec; every complaint names the line."""

    stored: Mapping[str, Any]
    lines: LineIndex
    where: str

    def refuse_unknown_keys(self) -> None:
        for key, value in self.stored.items():
            if key in _LAYOUT or key in _FREE_TABLES:
                if not isinstance(value, dict):
                    raise self.error("must be a table", "", key)
                continue
            if key not in _LAYOUT[""]:
                raise self.error("unknown key", "", key)
        for table, layout in _LAYOUT.items():
            known = {name.rstrip("?") for name in layout}
            for key in self.stored.get(table, {}) if table else ():
                if key not in known:
                    raise self.error("unknown key", table, key)

    def table(self, table: str) -> dict[str, Any]:
        """Read one table, every value checked; lists become tuples."""
        given = self.stored if table == "" else self.stored.get(table, {})
        out: dict[str, Any] = {}
        for name, kind in _LAYOUT[table].items():
            key = name.rstrip("?")
            if key in given:
                if kind != "table":
                    out[key] = self._value(given[key], kind, table, key)
            elif not name.endswith("?"):
                raise self.error(f"missing key {key}", "", table or key)
        return out

    def _value(self, value: Any, kind: str, table: str, key: str) -> Any:
        is_right, meaning = _KINDS[kind]
        if not is_right(value):
            raise self.error(f"must be {meaning}", table, key)
        return tuple(value) if isinstance(value, list) else value

    def extensions(self) -> dict[str, FeatureKind]:
        """Read the national columns that the model names, each with its kind."""
        given = self.stored.get("extensions", {})
        for name, kind in given.items():
            if not is_extension(name) or kind not in ("number", "category"):
                raise self.error('must read x_<name> = "number" or "category"', "extensions", name)
        return cast(dict[str, FeatureKind], dict(given))

    def applies_to(self) -> dict[str, tuple[str, ...]]:
        """Read where the domain applies."""
        columns = columns_by_name((*HEADER_COLUMNS, *ITEM_COLUMNS))
        out = {}
        for name, values in self.stored.get("applies_to", {}).items():
            if name not in columns or columns[name].kind != "code":
                raise self.error("is no code column of the contract", "applies_to", name)
            out[name] = self._value(values, "strs", "applies_to", name)
            allowed = columns[name].values
            if allowed and not set(out[name]) <= set(allowed):
                raise self.error(f"values must be of: {', '.join(allowed)}", "applies_to", name)
        return out

    def lightgbm(self) -> dict[str, float | int | str | bool]:
        """Read LightGBM's parameters; those that make it reproducible are not up for choice."""
        given = self.stored.get("lightgbm", {})
        for name, value in given.items():
            if name in _FIXED_LIGHTGBM and value != _FIXED_LIGHTGBM[name]:
                raise self.error(f"must be {str(_FIXED_LIGHTGBM[name]).lower()}", "lightgbm", name)
            if name in ("num_threads", "seed", "num_iterations"):
                raise self.error("is given by the training run, not by the spec", "lightgbm", name)
            if type(value) not in (int, float, str, bool):
                raise self.error("must be a number, a text, true or false", "lightgbm", name)
        if not 1 <= given.get("max_depth", 0) <= DEEPEST_TREE:
            raise self.error(f"max_depth must be between 1 and {DEEPEST_TREE}", "lightgbm", "max_depth")
        return dict(given) | dict(_FIXED_LIGHTGBM)

    def check_features(
        self, named: Sequence[str], kinds: Mapping[str, str], extensions: Mapping[str, FeatureKind]
    ) -> None:
        """Hold the named features against the catalogue."""
        twice = next((name for i, name in enumerate(named) if name in named[:i]), None)
        if twice is not None:
            raise self.error(f"{twice} is named twice", "", "features")
        allowed = self.stored.get("features", {}).get("sensitive", {})
        for name in named:
            if name in extensions:
                continue
            if name not in FEATURES:
                raise self.error(f"no such feature: {name}", "", "features", hint="see docs/features.md")
            if FEATURES[name].kind != kinds.get(name, "number"):
                raise self.error(f"{name} is a {FEATURES[name].kind}", "", "features")
            if FEATURES[name].sensitive and not allowed.get(name):
                raise self.error(f"{name} is sensitive: give its reason under features.sensitive", "", "features")

    def error(self, detail: str, table: str, key: str, hint: str | None = None) -> ConfigurationError:
        line = self.lines.line((*table.split("."), key) if table else (key,))
        place = f"{self.where}, line {line}" if line else self.where
        return ConfigurationError(f"{table}.{key}: {detail}" if table else f"{key}: {detail}", where=place, hint=hint)
