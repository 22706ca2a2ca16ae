"""Drift: parts of a history that do not look like the rest of it.

A history is cut into up to ten slices of equally many goods lines in order of time, and each slice is compared with
all others together. That finds a defect wherever it lies: a month of files with two columns swapped, a change of
unit, labels that were filled with zeros. The distance is the population stability index (Siddiqi, *Credit Risk
Scorecards*, 2006), of which the field says that below 0.1 nothing happened and above 0.25 much did. Seasons and
trade move columns past 0.25 honestly, so that is a notice; above 1 two slices have hardly a value in common.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from chekara.data.findings import Finding, Severity
from chekara.data.schema import CROSSING_COLUMNS, columns_by_name, is_extension

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CONTRACT = columns_by_name(CROSSING_COLUMNS)
_MOST_SLICES = 10
_LINES_PER_SLICE = 200
_MOST_VALUES = 20  # of a code; the rarer ones count together
_NOTICE_PSI, _WARNING_PSI = 0.25, 1.0
_SWAP_GAIN = 0.5  # turned round, the pair must lie at most half as far from the rest
_HEAVY_NET_NOTICE, _HEAVY_NET_WARNING = 0.02, 0.20
_RATE_NOTICE, _RATE_WARNING = (4.0, 1.5), (5.0, 2.0)  # signed root deviance, and factor up or down
_PROXY_KAPPA = 0.9
_PROXY_VALUES = 200
# Pairs of columns of one kind, which a change of software may swap.
_TWINS = tuple(combinations(("origin_country", "dispatch_country", "destination_country"), 2))
_NUMBER_TWINS = (("net_mass_kg", "gross_mass_kg"), ("declared_value", "duty_amount"))


def find_drift(crossings: pd.DataFrame) -> list[Finding]:
    """Compare each slice of time with the rest, column by column.

    Parameters
    ----------
    crossings : DataFrame
        Contract columns and extensions, one revision per crossing.

    Returns
    -------
    list of Finding
        ``column_drift`` (a warning above a stability index of 1, else a notice), ``swapped_columns`` and
        ``net_above_gross``. Empty where there are fewer than 400 goods lines.
    """
    frame = crossings.sort_values("known_at", kind="stable")
    slices = min(_MOST_SLICES, len(frame) // _LINES_PER_SLICE)
    if slices < 2:
        return []
    time_slice = (np.arange(len(frame)) * slices // len(frame)).astype(np.int64)
    swapped = _swapped(frame, time_slice)
    blamed = {name for finding in swapped for name in finding.columns}
    drifted = [
        finding
        for name in frame.columns
        if name not in blamed and _may_drift(name) and (finding := _column_drift(frame[name], time_slice))
    ]
    return swapped + drifted + _net_above_gross(frame, time_slice)


def _may_drift(name: str) -> bool:
    """Whether a column has a distribution to keep: identities, dates and free text come and go by nature."""
    if is_extension(name):
        return True
    column = _CONTRACT.get(name)
    return column is not None and column.kind not in ("string", "instant", "date") and name not in ("revision",)


def stability_index(counts: Floats) -> Floats:
    """Compare each slice with all others together.

    Parameters
    ----------
    counts : ndarray of shape (n_bins, n_slices)

    Returns
    -------
    ndarray of shape (n_slices,)
        Population stability index, less what two samples of these sizes from one distribution would show.
    """
    rest = counts.sum(axis=1, keepdims=True) - counts
    n, m = counts.sum(axis=0), rest.sum(axis=0)
    # Half a row per bin keeps an empty bin from counting infinitely.
    here, there = (counts + 0.5) / (n + 0.5 * len(counts)), (rest + 0.5) / (m + 0.5 * len(counts))
    index = ((here - there) * np.log(here / there)).sum(axis=0)
    by_chance = (len(counts) - 1) * (1.0 / np.maximum(n, 1) + 1.0 / np.maximum(m, 1))
    return np.asarray(np.maximum(index - by_chance, 0.0), dtype=np.float64)


def _binned(values: pd.Series) -> Ints:
    """Whole numbers from 0: deciles of a number, the 20 commonest values of a code; missing is a bin of its own."""
    if pd.api.types.is_float_dtype(values.dtype):
        numbers = values.to_numpy(dtype=float)
        if np.isnan(numbers).all():
            return np.zeros(len(numbers), dtype=np.int64)
        edges = np.unique(np.nanquantile(numbers, np.linspace(0.1, 0.9, 9)))
        bins = np.searchsorted(edges, numbers, side="right")
        return np.where(np.isnan(numbers), len(edges) + 1, bins).astype(np.int64)
    codes = pd.factorize(values, use_na_sentinel=False)[0]
    counts = np.bincount(codes)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(rank[codes], _MOST_VALUES)


def _counts(bins: Ints, time_slice: Ints) -> Floats:
    slices, size = int(time_slice.max()) + 1, int(bins.max()) + 1
    return np.bincount(bins * slices + time_slice, minlength=size * slices).reshape(size, slices).astype(float)


def _column_drift(values: pd.Series, time_slice: Ints) -> Finding | None:
    index = stability_index(_counts(_binned(values), time_slice))
    worst = int(index.argmax())
    if index[worst] < _NOTICE_PSI:
        return None
    severity: Severity = "warning" if index[worst] >= _WARNING_PSI else "notice"
    name = str(values.name)
    return Finding(
        code="column_drift",
        severity=severity,
        columns=(name,),
        sentence=(
            f"{name} looks different in part {worst + 1} of {len(index)} of the history (stability index "
            f"{index[worst]:.2f}; above 0.25 is much): a change of trade, of unit or of what the column means?"
        ),
        numbers={"stability_index": float(index[worst]), "part": worst + 1.0, "parts": float(len(index))},
    )


def _swapped(frame: pd.DataFrame, time_slice: Ints) -> list[Finding]:
    findings = []
    for left, right in _TWINS:
        if left in frame and right in frame:
            together = pd.concat([frame[left], frame[right]], ignore_index=True)
            bins = _binned(together)
            a, b = bins[: len(frame)], bins[len(frame) :]
            size = int(bins.max()) + 1
            both = (frame[left].notna() & frame[right].notna()).to_numpy()
            if found := _judge_swap(left, right, (a * size + b)[both], (b * size + a)[both], time_slice[both]):
                findings.append(found)
    for left, right in _NUMBER_TWINS:
        if left in frame and right in frame:
            x, y = frame[left].to_numpy(dtype=float), frame[right].to_numpy(dtype=float)
            both = (np.nan_to_num(x) > 0) & (np.nan_to_num(y) > 0)
            ratio = np.log(x[both]) - np.log(y[both])
            edges = np.array([-4.0, -2.0, -1.0, -0.3, -0.1, -0.003, 0.003, 0.1, 0.3, 1.0, 2.0, 4.0])
            straight, turned = np.searchsorted(edges, ratio), np.searchsorted(edges, -ratio)
            if found := _judge_swap(left, right, straight, turned, time_slice[both]):
                findings.append(found)
    return findings


def _judge_swap(left: str, right: str, straight: Ints, turned: Ints, time_slice: Ints) -> Finding | None:
    """Blame two columns where a slice is far from the rest as it is, and much nearer with the two turned round."""
    if not len(straight) or len(np.unique(time_slice)) < 2:
        return None
    counts = _counts(straight, time_slice)
    index = stability_index(counts)
    worst = int(index.argmax())
    if index[worst] < _NOTICE_PSI:
        return None
    here = time_slice == worst
    size = max(len(counts), int(turned.max()) + 1)
    rest = np.bincount(straight[~here], minlength=size)
    as_turned = stability_index(np.column_stack([np.bincount(turned[here], minlength=size), rest]).astype(float))[0]
    if as_turned > _SWAP_GAIN * index[worst]:
        return None
    return Finding(
        code="swapped_columns",
        severity="warning",
        columns=(left, right),
        sentence=(
            f"{left} and {right} look swapped in part {worst + 1} of {len(index)} of the history: turned round they "
            "fit the rest."
        ),
        numbers={"stability_index": float(index[worst]), "turned_round": float(as_turned), "part": worst + 1.0},
    )


def _net_above_gross(frame: pd.DataFrame, time_slice: Ints) -> list[Finding]:
    if "net_mass_kg" not in frame or "gross_mass_kg" not in frame:
        return []
    net, gross = frame["net_mass_kg"].to_numpy(dtype=float), frame["gross_mass_kg"].to_numpy(dtype=float)
    known = ~(np.isnan(net) | np.isnan(gross))
    if not known.any():
        return []
    size = int(time_slice.max()) + 1
    heavy = np.bincount(time_slice[known], weights=(net > gross)[known], minlength=size)
    share = heavy / np.maximum(np.bincount(time_slice[known], minlength=size), 1)
    if share.max() < _HEAVY_NET_NOTICE:
        return []
    severity: Severity = "warning" if share.max() >= _HEAVY_NET_WARNING else "notice"
    return [
        Finding(
            code="net_above_gross",
            severity=severity,
            columns=("net_mass_kg", "gross_mass_kg"),
            sentence=(
                f"Net mass is above gross mass in {(net > gross)[known].mean():.0%} of goods lines, and in "
                f"{share.max():.0%} of part {int(share.argmax()) + 1} of {size}: are the two swapped?"
            ),
            numbers={"share": float((net > gross)[known].mean()), "worst_share": float(share.max())},
        )
    ]


def find_label_jumps(labels: pd.DataFrame, known_at: pd.Series, domain: str) -> list[Finding]:
    """Compare the hit rate of each slice of time with the rest, given how crossings were selected.

    Parameters
    ----------
    labels : DataFrame
        As `chekara.data.labels.label_crossings` returns it.
    known_at : Series
        When each crossing became known, by ``crossing_id``.
    domain : str

    Returns
    -------
    list of Finding
        At most one ``label_rate_jump``: the slice that is farthest from what its mix of ``selected_by`` lets expect,
        as a signed root deviance of a Poisson count. A warning from 5 and a factor of 2 on.
    """
    at = labels["crossing_id"].map(known_at)
    ordered = labels.assign(at=at).sort_values(["at", "crossing_id"], kind="stable")
    slices = min(_MOST_SLICES, len(ordered) // _LINES_PER_SLICE)
    if slices < 2:
        return []
    time_slice = (np.arange(len(ordered)) * slices // len(ordered)).astype(np.int64)
    arm = pd.factorize(ordered["selected_by"])[0]
    count = np.zeros((int(arm.max()) + 1, slices))
    hits = np.zeros_like(count)
    np.add.at(count, (arm, time_slice), 1.0)
    np.add.at(hits, (arm, time_slice), ordered["hit"].to_numpy(dtype=float))
    rest_count = count.sum(axis=1, keepdims=True) - count
    rest_hits = hits.sum(axis=1, keepdims=True) - hits
    # An arm that the other slices hardly know has no rate to expect: the slice's own stands in, which says nothing.
    rate = np.where(rest_count >= 20, rest_hits / np.maximum(rest_count, 1), hits / np.maximum(count, 1))
    expected, observed = (rate * count).sum(axis=0), hits.sum(axis=0)
    deviance = _signed_root_deviance(observed, expected)
    worst = int(np.abs(deviance).argmax())
    factor = (observed[worst] + 0.5) / (expected[worst] + 0.5)
    apart = max(factor, 1.0 / factor)
    if abs(deviance[worst]) < _RATE_NOTICE[0] or apart < _RATE_NOTICE[1]:
        return []
    is_grave = abs(deviance[worst]) >= _RATE_WARNING[0] and apart >= _RATE_WARNING[1]
    return [
        Finding(
            code="label_rate_jump",
            severity="warning" if is_grave else "notice",
            domain=domain,
            columns=("found",),
            sentence=(
                f"In part {worst + 1} of {slices} of the history {observed[worst]:.0f} hits were found where the rest "
                f"lets expect {expected[worst]:.0f}: other inspections, other labels, or another world?"
            ),
            numbers={"observed": float(observed[worst]), "expected": float(expected[worst]), "part": worst + 1.0},
        )
    ]


def _signed_root_deviance(observed: Floats, expected: Floats) -> Floats:
    expected = np.maximum(expected, 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_part = np.where(observed > 0, observed * np.log(observed / expected), 0.0)
    return np.asarray(
        np.sign(observed - expected) * np.sqrt(np.maximum(2 * (log_part - (observed - expected)), 0.0)),
        dtype=np.float64,
    )


def find_proxies(crossings: pd.DataFrame) -> list[Finding]:
    """Look for extensions that repeat a sensitive column under another name.

    Parameters
    ----------
    crossings : DataFrame
        Contract columns and extensions.

    Returns
    -------
    list of Finding
        ``sensitive_proxy``: the extension's value tells the sensitive one with a kappa of 0.9 or more, learned on
        every other goods line and judged on the rest. Group attributes are not read here; their proxies are the
        audit's business.
    """
    findings = []
    sensitive = [c.name for c in CROSSING_COLUMNS if c.sensitive and c.name in crossings]
    for target in sensitive:
        known = crossings[crossings[target].notna()]
        if len(known) < 2 * _LINES_PER_SLICE:
            continue
        wanted = pd.factorize(known[target])[0].astype(np.int64)
        for name in known.columns:
            if not is_extension(name) or known[name].nunique(dropna=False) > _PROXY_VALUES:
                continue
            kappa = _told_by(pd.factorize(known[name], use_na_sentinel=False)[0].astype(np.int64), wanted)
            if kappa >= _PROXY_KAPPA:
                findings.append(
                    Finding(
                        code="sensitive_proxy",
                        severity="warning",
                        columns=(name, target),
                        sentence=f"{name} tells {target}, which is sensitive, nearly for sure (kappa {kappa:.2f}).",
                        numbers={"kappa": kappa},
                    )
                )
    return findings


def _told_by(codes: Ints, wanted: Ints) -> float:
    """Kappa of guessing ``wanted`` as the value that goes most often with each code."""
    learned, judged = slice(0, None, 2), slice(1, None, 2)
    size = int(wanted.max()) + 1
    table = np.zeros((int(codes.max()) + 1, size))
    np.add.at(table, (codes[learned], wanted[learned]), 1.0)
    right = float((table.argmax(axis=1)[codes[judged]] == wanted[judged]).mean())
    by_chance = float((np.bincount(wanted).argmax() == wanted[judged]).mean())
    return 0.0 if by_chance > 0.98 else (right - by_chance) / (1.0 - by_chance)
