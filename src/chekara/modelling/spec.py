"""What a model is, as reviewed text: ``models/<domain>/model.toml``.

A change of that file is a change of policy, so nothing in it is guessed: an unknown key, a missing one or a value
of the wrong kind is an error that names the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias, cast

import chekara.features.declared  # noqa: F401  # fills the feature catalogue
from chekara.data.labels import TargetRule
from chekara.data.schema import HEADER_COLUMNS, ITEM_COLUMNS, columns_by_name, is_extension
from chekara.errors import ConfigurationError
from chekara.features.catalogue import FeatureKind, find_feature
from chekara.features.profile_kinds import KIND_BY_NAME
from chekara.features.profile_measures import profile_names
from chekara.policy import load_policy
from chekara.toml_lines import LineIndex, parse_toml

Parameters: TypeAlias = Mapping[str, float | int | str | bool]

DEEPEST_TREE = 8  # deeper trees gained no quality when measured, and exact reasons cost more with each level


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingChoice:
    """How categories are encoded.

    Attributes
    ----------
    codes : tuple of str
        Category features, split natively by code.
    minimum_count : int
        Lines that a code needs to be told apart.
    """

    codes: tuple[str, ...]
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
class SeverityChoice:
    """How the size of a harm is told.

    Attributes
    ----------
    numbers : tuple of str
        Features that it is estimated from, beside the HS chapter.
    """

    numbers: tuple[str, ...]


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
        Columns of the matrix in order: codes, numbers, profiles, extensions last in each.
    results_of : tuple of str
        Domains whose inspection results its profiles may use: all who may lead the domain see them.
    monotone : mapping of str to int
        Features that the margin only rises (1) or only falls (-1) with.
    extensions : mapping of str to {'number', 'category'}
    encoding : EncodingChoice
    lightgbm : mapping
        LightGBM's own parameters.
    training : TrainingChoice
    severity : SeverityChoice or None
        None where the spec says nothing of how large a harm is.
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
    results_of: tuple[str, ...]
    monotone: Mapping[str, int]
    extensions: Mapping[str, FeatureKind]
    encoding: EncodingChoice
    lightgbm: Parameters
    training: TrainingChoice
    severity: SeverityChoice | None
    lot_hits: int
    minimum_hits: int
    text: str


# Every key that a spec holds, with its kind. A key ending in "?" may be left out.
_LAYOUT: Mapping[str, Mapping[str, str]] = {
    "": {"name": "str", "domain": "str", "title": "str"},
    "target": {"positive_results": "strs", "negative_methods": "strs", "unstated_method_makes_negative": "bool"},
    "features": {"codes": "strs", "numbers": "strs", "sensitive?": "table"},
    "profiles": {"kinds": "strs", "results_of": "strs", "leave_out?": "strs"},
    "encoding": {"minimum_count": "count"},
    "training": {"rounds": "counts", "forward_blocks": "count", "test_share": "share"},
    "severity": {"numbers": "strs"},
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
    "share": (lambda v: type(v) is float and 0 < v < 1, "a fraction between 0 and 1"),
}
_FREE_TABLES = ("applies_to", "extensions", "lightgbm", "monotone")  # their keys are column or parameter names
_FIXED_LIGHTGBM: Parameters = {"objective": "binary", "deterministic": True, "force_row_wise": True}


def _results_that_may_serve(domain: str) -> frozenset[str]:
    """By the policy that ships; a domain that a country adds may use its own results."""
    policy = load_policy()
    return policy.seen_by_every_lead(domain) if domain in policy.domains else frozenset((domain,))


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
    results_of, profiles = reader.profiles(root["domain"])
    numbers = (*features["numbers"], *profiles, *(name for name, kind in extensions.items() if kind == "number"))
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
        results_of=results_of,
        monotone=reader.monotone(numbers),
        extensions=extensions,
        encoding=EncodingChoice(codes=codes, **encoding),
        lightgbm=reader.lightgbm(),
        training=TrainingChoice(**training),
        severity=reader.severity(numbers),
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

    def profiles(self, domain: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Read whose history counts: the domains whose results may be used, and the features that follow."""
        told = self.table("profiles")
        allowed = _results_that_may_serve(domain)
        for other in told["results_of"]:
            if other not in allowed:
                raise self.error(
                    f"{other}: not all who may lead {domain} see its results",
                    "profiles",
                    "results_of",
                    hint=f"choose from {', '.join(sorted(allowed))}",
                )
        unknown = next((kind for kind in told["kinds"] if kind not in KIND_BY_NAME), None)
        if unknown is not None:
            raise self.error(f"no such kind of profile: {unknown}", "profiles", "kinds", hint="see docs/profiles.md")
        names = profile_names(told["kinds"], told["results_of"])
        left_out = dict.fromkeys(told.get("leave_out", ()), False)
        kept = []
        for name in names:
            fitting = {pattern for pattern in left_out if fnmatchcase(name, pattern)}
            left_out |= dict.fromkeys(fitting, True)
            kept += [] if fitting else [name]
        unused = next((pattern for pattern, is_used in left_out.items() if not is_used), None)
        if unused is not None:
            raise self.error(f"{unused} fits no feature", "profiles", "leave_out")
        return told["results_of"], tuple(kept)

    def monotone(self, numbers: Sequence[str]) -> dict[str, int]:
        """Read which way the margin may go, by feature or by pattern; of several patterns that fit the first holds."""
        given = self.stored.get("monotone", {})
        for pattern, sign in given.items():
            if type(sign) is not int or sign not in (-1, 1):
                raise self.error("must be 1 or -1", "monotone", pattern)
            if not any(fnmatchcase(name, pattern) for name in numbers):
                raise self.error("fits no number among the features", "monotone", pattern)
        return {
            name: next(sign for pattern, sign in given.items() if fnmatchcase(name, pattern))
            for name in numbers
            if any(fnmatchcase(name, pattern) for pattern in given)
        }

    def severity(self, numbers: Sequence[str]) -> SeverityChoice | None:
        """Read what the size of a harm is estimated from."""
        if "severity" not in self.stored:
            return None
        choice = SeverityChoice(**self.table("severity"))
        unknown = next((name for name in choice.numbers if name not in numbers), None)
        if unknown is not None:
            raise self.error(f"{unknown} is no number among the features", "severity", "numbers")
        return choice

    def lightgbm(self) -> dict[str, float | int | str | bool]:
        """Read LightGBM's parameters; those that make it reproducible are not up for choice."""
        given = self.stored.get("lightgbm", {})
        for name, value in given.items():
            if name in _FIXED_LIGHTGBM and value != _FIXED_LIGHTGBM[name]:
                raise self.error(f"must be {str(_FIXED_LIGHTGBM[name]).lower()}", "lightgbm", name)
            if name in ("num_threads", "seed", "num_iterations"):
                raise self.error("is given by the training run, not by the spec", "lightgbm", name)
            if name == "monotone_constraints":
                raise self.error("is said by feature under [monotone]", "lightgbm", name)
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
            found = find_feature(name)
            if found is None:
                raise self.error(f"no such feature: {name}", "", "features", hint="see docs/features.md")
            if found.kind != kinds.get(name, "number"):
                raise self.error(f"{name} is a {found.kind}", "", "features")
            if found.sensitive and not allowed.get(name):
                raise self.error(f"{name} is sensitive: give its reason under features.sensitive", "", "features")

    def error(self, detail: str, table: str, key: str, hint: str | None = None) -> ConfigurationError:
        line = self.lines.line((*table.split("."), key) if table else (key,))
        place = f"{self.where}, line {line}" if line else self.where
        return ConfigurationError(f"{table}.{key}: {detail}" if table else f"{key}: {detail}", where=place, hint=hint)
