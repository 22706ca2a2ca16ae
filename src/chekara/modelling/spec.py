"""What a model is, as reviewed text: ``models/<domain>/model.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chekara.data.labels import TargetRule
from chekara.features.catalogue import FeatureKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingChoice:
    """How categories and prices are encoded.

    Attributes
    ----------
    codes, risks : tuple of str
        Category features split natively by code, and given as smoothed log-odds.
    risk_strength, price_strength : float
        How many crossings, or lines, the parent weighs as.
    minimum_count : int
        Rarer categories count as unseen.
    """

    codes: tuple[str, ...]
    risks: tuple[str, ...]
    risk_strength: float
    price_strength: float
    minimum_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model's reviewed text.

    Attributes
    ----------
    name, domain, title : str
    target : TargetRule
    applies_to : mapping of str to tuple of str
        Column to the values that the domain applies to; a missing value applies.
    features : tuple of str
        Order of the matrix; extensions included.
    extensions : mapping of str to {'number', 'category'}
    encoding : EncodingChoice
    lightgbm : mapping
        Parameters, deterministic.
    rounds : int
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
    lightgbm: Mapping[str, float | int | str | bool]
    rounds: int
    text: str


def load_spec(path: Path) -> ModelSpec:
    """Read and check a spec."""
    raise NotImplementedError


def parse_spec(text: str, where: str) -> ModelSpec:
    """Check a spec's text."""
    raise NotImplementedError
