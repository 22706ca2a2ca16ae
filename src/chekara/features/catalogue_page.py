"""The page ``docs/features.md``, generated from the catalogue: ``python -m chekara.features.catalogue_page``."""

from __future__ import annotations

import sys
from pathlib import Path

import chekara.features.declared  # noqa: F401  # fills the feature catalogue
from chekara.features.catalogue import FEATURES, FeatureSource
from chekara.features.profile_kinds import KINDS
from chekara.features.profile_measures import MEASURES

_SOURCES: dict[FeatureSource, str] = {
    "declared": "from the declaration itself",
    "reference": "the declaration compared with what was usual before it",
    "profile": "from what was known of its operators and goods before",
    "extension": "national column",
}

_HEAD = """# Features

Generated from the catalogue by `python -m chekara.features.catalogue_page docs/features.md`; a test holds it.

Each feature is one function in `chekara.features`, the same for training, batch scoring and the service, for one goods
line or ten million. Its explanation below is the first line of that function. Numbers are rounded to float32 before
training and scoring; a ratio whose denominator is zero or missing is missing. National columns (`x_...`) become
features where a model's spec names them, with their kind. A model's list of features lies in
`models/<domain>/model.toml`. Features never look at who a person is; entity ids are never features themselves.

| feature | kind | unit | explanation | reads | source |
|---|---|---|---|---|---|
"""

_PROFILES = """
## Profiles

What was known of a line's entities and goods before: `<kind>_<measure>`, such as `importer_days_since_last`, or
`<kind>_<measure>_<domain>`, such as `carrier_hit_rate_contraband`. What counts and when: [profiles.md](profiles.md).

| kind | keyed by | counts | leans on |
|---|---|---|---|
"""

_MEASURES_HEAD = """
| measure | unit | explanation | kinds |
|---|---|---|---|
"""

_SCOPES = {
    "every": "every kind",
    "unlike_goods": "all but kinds of goods",
    "weighed": ", ".join(f"`{kind.name}`" for kind in KINDS if kind.is_weighed),
    "pair": "pairs",
}


def catalogue_page() -> str:
    """Return the page as Markdown."""
    rows = (
        f"| `{f.name}` | {f.kind} | {f.unit} | {f.explanation} | {', '.join(f'`{c}`' for c in f.reads)} "
        f"| {_SOURCES[f.source]} |\n"
        for f in FEATURES.values()
    )
    return _HEAD + "".join(rows) + _PROFILES + _kinds() + _MEASURES_HEAD + _measures()


def _kinds() -> str:
    return "".join(
        f"| `{kind.name}` | {' and '.join(f'`{field}`' for field in kind.fields) or 'nothing'} "
        f"| {kind.level}s | {f'`{kind.parent}`' if kind.parent else '–'} |\n"
        for kind in KINDS
    )


def _measures() -> str:
    return "".join(
        f"| `{m.name}{'_<domain>' if m.by_domain else ''}` | {m.unit} "
        f"| {m.explanation.format(kind='key', domain='the domain')} | {_SCOPES[m.scope]} |\n"
        for m in MEASURES
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(catalogue_page(), encoding="utf-8")
