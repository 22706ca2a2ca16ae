"""A history that has two roles the wrong way round throughout is named; an honest one, however lopsided, is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.data.history_checks import check_whole
from chekara.data.swaps import FEWEST_LINES, find_swapped_roles
from tests.service.histories import history_of

N = 600
COUNTRY_PAIRS = [("origin_country", "destination_country"), ("dispatch_country", "destination_country")]


def traffic(seed: int = 1, *, partner: float = 0.6, exports: float = 0.2, transit: float = 0.2) -> pd.DataFrame:
    """Make goods lines of a country QX whose largest partner has a share of trade; every tenth field is empty."""
    rng = np.random.default_rng(seed)
    movement = rng.choice(["import", "export", "transit"], N, p=[1 - exports - transit, exports, transit])
    abroad, other = (rng.choice(["CN", "TR", "DE", "UZ"], N, p=[partner, *[(1 - partner) / 3] * 3]) for _ in range(2))
    importer, exporter = rng.integers(0, 60, N), rng.integers(0, 90, N)
    registered = pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 6_000, 60)[importer], unit="D")
    frame = pd.DataFrame(
        {
            "movement": movement,
            "origin_country": np.where(movement == "export", "QX", abroad),
            "dispatch_country": np.where(movement == "export", "QX", other),
            "destination_country": np.where(movement == "import", "QX", other),
            "importer_id": [f"i{number}" for number in importer],
            "exporter_id": [f"e{number}" for number in exporter],
            "importer_registered_at": registered,
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.1)


@given(st.integers(0, 1_000), st.floats(0.3, 1.0), st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([0.0, 0.5]))
def test_no_honest_trade_is_blamed(seed: int, partner: float, exports: float, transit: float) -> None:
    assert find_swapped_roles(traffic(seed, partner=partner, exports=exports, transit=transit)) == []


@pytest.mark.parametrize("exports", [0.0, 0.2, 0.6])
@pytest.mark.parametrize(("left", "right"), [*COUNTRY_PAIRS, ("importer_id", "exporter_id")])
def test_two_roles_the_wrong_way_round_are_named(left: str, right: str, exports: float) -> None:
    found = find_swapped_roles(traffic(exports=exports).rename(columns={left: right, right: left}))
    assert (left, right) in {finding.columns for finding in found}
    assert {(finding.code, finding.blocks_promotion) for finding in found} == {("swapped_roles", True)}


def test_too_little_to_judge_or_nothing_told_is_no_finding() -> None:
    turned = {"origin_country": "destination_country", "destination_country": "origin_country"}
    swapped = traffic().rename(columns=turned)
    assert find_swapped_roles(swapped.head(FEWEST_LINES // 2)) == []
    assert find_swapped_roles(swapped.assign(movement=None)) == []
    assert find_swapped_roles(swapped.assign(origin_country=None, importer_registered_at=pd.NaT)) == []


def test_traders_that_come_once_tell_nothing() -> None:
    once = traffic().assign(exporter_id=[f"e{number}" for number in range(N)])
    swapped = once.rename(columns={"importer_id": "exporter_id", "exporter_id": "importer_id"})
    assert [finding.columns for finding in find_swapped_roles(once)] == []
    assert find_swapped_roles(swapped)[0].numbers["kept_by_importer"] == 0.0


def test_the_whole_history_is_looked_at() -> None:
    rows = traffic(exports=0.0, transit=0.0).astype(object)
    rows = rows.where(rows.notna(), None).drop(columns="importer_registered_at")
    required = {"occurred_at": "2025-01-01T10:00:00+06:00", "crossing_point": "P", "direction": "entry", "mode": "road"}
    history = history_of(rows.assign(crossing_id=[f"c{number}" for number in range(N)], **required))
    assert not [finding for finding in check_whole(history) if finding.code == "swapped_roles"]
    turned = {"origin_country": "destination_country", "destination_country": "origin_country"}
    swapped = replace(history, crossings=history.crossings.rename(columns=turned))
    assert [finding for finding in check_whole(swapped) if finding.code == "swapped_roles"]
