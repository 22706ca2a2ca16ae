# ruff: noqa: D401  # the first line is read by officers as the name of a thing, not as an order to the code
"""Features of the row itself: what was declared, and how its parts fit together.

Each function takes all goods lines as columns and returns one value per line, the same for one line as for ten
million. Its name is the feature's name and the first line of its docstring is the public explanation. Ratios
whose denominator is zero or missing are missing. Nothing here looks at other crossings: what is usual for a kind
of goods comes in as a column that the profile engine lays beside the lines, as known before them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.features.catalogue import ItemColumns, Sides, divide, feature, ratio
from chekara.features.profile_measures import REFERENCE_PRICE

Numbers: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.object_]

# Derived when items are laid out; no customs system sends it.
CROSSING_INDEX = "crossing_index"

_OPTIONAL_FIELDS = (
    "origin_country",
    "dispatch_country",
    "hs_code",
    "declared_value",
    "net_mass_kg",
    "gross_mass_kg",
    "packages",
    "importer_id",
    "declarant_id",
    "carrier_id",
)
_POWERS_OF_TEN = 10.0 ** np.arange(1, 7)[:, np.newaxis, np.newaxis]
_IN_MICROSECONDS = (np.dtype("datetime64[us]"), np.dtype("timedelta64[us]"))
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


def _code_prefix(codes: Texts, digits: int) -> Texts:
    """First digits of goods codes; missing where a code is shorter."""
    return np.array([c[:digits] if c is not None and len(c) >= digits else None for c in codes], dtype=object)


def _joined(left: Texts, right: Texts) -> Texts:
    """Two codes as one; missing only where both are."""
    pairs = zip(left, right, strict=True)
    return np.array([None if a is None and b is None else f"{a or '?'} {b or '?'}" for a, b in pairs], dtype=object)


def _crossing_index(items: ItemColumns) -> npt.NDArray[np.int64]:
    """Crossing of each line; lines laid out by hand without it are crossings of their own."""
    found = items.values.get(CROSSING_INDEX)
    return np.arange(items.n_items) if found is None else found.astype(np.int64)


def _crossing_total(items: ItemColumns, name: str) -> Numbers:
    """Sum of a column over each line's crossing; missing where any of its lines misses it."""
    index = _crossing_index(items)
    if not len(index):
        return np.zeros(0)
    totals: Numbers = np.asarray(np.bincount(index, weights=items.number(name)), dtype=np.float64)
    return totals[index]


def _crossing_value(items: ItemColumns) -> Numbers:
    return items.once("declared_value of the crossing", partial(_crossing_total, name="declared_value"))


def _roundness(items: ItemColumns, which: int) -> Numbers:
    """Return how many zeros the value (0) or the mass (1) ends with."""
    both: Numbers = items.once("roundness of value and mass", _both_roundnesses)
    own: Numbers = both[which]
    return own


def _both_roundnesses(items: ItemColumns) -> Numbers:
    """How many zeros whole numbers end with, 0 to 6; missing where there is no amount above zero."""
    amounts = np.array([items.number("declared_value"), items.number("net_mass_kg")])
    zeros = np.add.reduce(np.mod(amounts, _POWERS_OF_TEN) == 0, axis=0)
    return np.where(amounts > 0, zeros, np.nan)


def _microseconds(at: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Read instants, or spans, as whole microseconds; what is missing is far below all others."""
    return at.view(np.int64) if at.dtype in _IN_MICROSECONDS else at.astype(f"{at.dtype.kind}8[us]").view(np.int64)


# Where and how it crosses


@feature(kind="category", unit="code", reads=("crossing_point",))
def crossing_point(items: ItemColumns) -> Texts:
    """Crossing point where the border is crossed."""
    return items.text("crossing_point")


@feature(kind="category", unit="code", reads=("direction",))
def direction(items: ItemColumns) -> Texts:
    """Whether the crossing enters or leaves the country."""
    return items.text("direction")


@feature(kind="category", unit="code", reads=("mode",))
def mode(items: ItemColumns) -> Texts:
    """Mode of transport at the border."""
    return items.text("mode")


@feature(kind="category", unit="code", reads=("stage",))
def stage(items: ItemColumns) -> Texts:
    """At which stage of the procedure the data was lodged."""
    return items.text("stage")


@feature(kind="category", unit="code", reads=("movement",))
def movement(items: ItemColumns) -> Texts:
    """Kind of movement of the goods, such as import or transit."""
    return items.text("movement")


@feature(kind="category", unit="code", reads=("load_status",))
def load_status(items: ItemColumns) -> Texts:
    """Whether the conveyance is loaded, empty or carries passengers."""
    return items.text("load_status")


@feature(kind="category", unit="code", reads=("vehicle_type",))
def vehicle_type(items: ItemColumns) -> Texts:
    """Type of conveyance."""
    return items.text("vehicle_type")


@feature(kind="category", unit="code", reads=("seal_status",))
def seal_status(items: ItemColumns) -> Texts:
    """State of the customs seal."""
    return items.text("seal_status")


@feature(kind="category", unit="code", reads=("guarantee_type",))
def guarantee_type(items: ItemColumns) -> Texts:
    """Guarantee given for a transit."""
    return items.text("guarantee_type")


@feature(unit="h", reads=("transit_hours",))
def transit_hours(items: ItemColumns) -> Numbers:
    """Hours since dispatch or since the previous border."""
    return items.number("transit_hours")


@feature(unit="persons", reads=("occupants",))
def occupants(items: ItemColumns) -> Numbers:
    """How many people are in the conveyance: a count, never who they are."""
    return items.number("occupants")


@feature(unit="h", reads=("occurred_at",))
def hour_of_day(items: ItemColumns) -> Numbers:
    """Hour of the day of the crossing, in UTC."""
    at = items.instant("occurred_at")
    return np.where(np.isnat(at), np.nan, _microseconds(at) % _DAY_US // _HOUR_US)


@feature(unit="day", reads=("occurred_at",))
def day_of_week(items: ItemColumns) -> Numbers:
    """Day of the week of the crossing in UTC, 0 for Monday to 6 for Sunday."""
    at = items.instant("occurred_at")
    days = _microseconds(at) // _DAY_US
    # 1970-01-01, day 0 of the epoch, was a Thursday (3).
    return np.where(np.isnat(at), np.nan, (days + 3) % 7)


@feature(unit="h", reads=("occurred_at", "known_at"))
def notice_hours(items: ItemColumns) -> Numbers:
    """Hours between the data being known and the crossing; above zero for advance data."""
    ahead = items.instant("occurred_at") - items.instant("known_at")
    return np.where(np.isnat(ahead), np.nan, _microseconds(ahead) / _HOUR_US)


# The goods and where they come from


@feature(kind="category", unit="code", reads=("hs_code",))
def hs_chapter(items: ItemColumns) -> Texts:
    """Chapter of the declared goods: first two digits of the HS code."""
    return _code_prefix(items.text("hs_code"), 2)


@feature(kind="category", unit="code", reads=("hs_code",))
def hs4(items: ItemColumns) -> Texts:
    """Heading of the declared goods: first four digits of the HS code."""
    return _code_prefix(items.text("hs_code"), 4)


@feature(kind="category", unit="code", reads=("hs_code",))
def hs6(items: ItemColumns) -> Texts:
    """Subheading of the declared goods: first six digits of the HS code."""
    return _code_prefix(items.text("hs_code"), 6)


@feature(kind="category", unit="code", reads=("origin_country",))
def origin_country(items: ItemColumns) -> Texts:
    """Declared country of origin of the goods."""
    return items.text("origin_country")


@feature(kind="category", unit="code", reads=("dispatch_country",))
def dispatch_country(items: ItemColumns) -> Texts:
    """Country that the goods were dispatched from."""
    return items.text("dispatch_country")


@feature(kind="category", unit="code", reads=("destination_country",))
def destination_country(items: ItemColumns) -> Texts:
    """Country that the goods are bound for."""
    return items.text("destination_country")


@feature(unit="yes or no", reads=("origin_country", "dispatch_country"))
def origin_differs_from_dispatch(items: ItemColumns) -> Numbers:
    """Whether the goods come from another country than their declared origin."""
    origin, dispatch = items.text("origin_country"), items.text("dispatch_country")
    pairs = zip(origin, dispatch, strict=True)
    return np.array([np.nan if a is None or b is None else float(a != b) for a, b in pairs], dtype=np.float64)


@feature(kind="category", unit="code", reads=("origin_country", "dispatch_country"))
def origin_and_dispatch(items: ItemColumns) -> Texts:
    """Declared origin and country of dispatch together: the trade route."""
    return _joined(items.text("origin_country"), items.text("dispatch_country"))


@feature(kind="category", unit="code", reads=("hs_code", "origin_country"))
def goods_and_origin(items: ItemColumns) -> Texts:
    """Heading of the goods (HS4) and declared origin together."""
    return _joined(hs4(items), items.text("origin_country"))


@feature(kind="category", unit="code", reads=("procedure",))
def procedure(items: ItemColumns) -> Texts:
    """Customs procedure that the goods are placed under."""
    return items.text("procedure")


@feature(kind="category", unit="code", reads=("preference_code",))
def preference_code(items: ItemColumns) -> Texts:
    """Tariff preference that is claimed."""
    return items.text("preference_code")


@feature(kind="category", unit="code", reads=("valuation_method",))
def valuation_method(items: ItemColumns) -> Texts:
    """Method by which the customs value was found."""
    return items.text("valuation_method")


# Value, mass and what one says of the other


@feature(unit="currency", reads=("declared_value",))
def declared_value(items: ItemColumns) -> Numbers:
    """Declared customs value of the goods line."""
    return items.number("declared_value")


@feature(unit="kg", reads=("net_mass_kg",))
def net_mass_kg(items: ItemColumns) -> Numbers:
    """Declared net mass of the goods line."""
    return items.number("net_mass_kg")


@feature(unit="kg", reads=("gross_mass_kg",))
def gross_mass_kg(items: ItemColumns) -> Numbers:
    """Declared gross mass of the goods line."""
    return items.number("gross_mass_kg")


@feature(unit="packages", reads=("packages",))
def packages(items: ItemColumns) -> Numbers:
    """Declared number of packages."""
    return items.number("packages")


@feature(unit="currency/kg", reads=("declared_value", "net_mass_kg", "gross_mass_kg"))
def value_per_kg(items: ItemColumns) -> Numbers:
    """Declared value per kilogram of net mass (gross mass where no net mass is given)."""
    return items.once("declared price", _declared_price)


def _declared_price(items: ItemColumns) -> Numbers:
    net, gross = items.number("net_mass_kg"), items.number("gross_mass_kg")
    with np.errstate(over="ignore"):  # asked for beside the features, too
        return divide(items.number("declared_value"), np.where(net > 0, net, gross))


@ratio(unit="times the usual", source="reference", reads=("declared_value", "net_mass_kg", "gross_mass_kg", "hs_code"))
def unit_price_vs_reference(items: ItemColumns) -> Sides:
    """Declared value per kilogram compared with what is usual for such goods: 1 is usual, 0.2 a fifth of it."""
    return value_per_kg(items), items.number(REFERENCE_PRICE)


@ratio(unit="currency/package", reads=("declared_value", "packages"))
def value_per_package(items: ItemColumns) -> Sides:
    """Declared value per package."""
    return items.number("declared_value"), items.number("packages")


@ratio(unit="currency/unit", reads=("declared_value", "quantity"))
def value_per_unit(items: ItemColumns) -> Sides:
    """Declared value per supplementary unit (pieces, litres, pairs ...)."""
    return items.number("declared_value"), items.number("quantity")


@ratio(unit="kg/package", reads=("net_mass_kg", "packages"))
def mass_per_package_kg(items: ItemColumns) -> Sides:
    """Declared net mass per package."""
    return items.number("net_mass_kg"), items.number("packages")


@ratio(unit="kg/unit", reads=("net_mass_kg", "quantity"))
def mass_per_unit_kg(items: ItemColumns) -> Sides:
    """Declared net mass per supplementary unit."""
    return items.number("net_mass_kg"), items.number("quantity")


@ratio(unit="ratio", reads=("gross_mass_kg", "net_mass_kg"))
def gross_over_net(items: ItemColumns) -> Sides:
    """Gross mass over net mass: how much the packing weighs."""
    return items.number("gross_mass_kg"), items.number("net_mass_kg")


@ratio(unit="ratio", reads=("weighed_mass_kg", "gross_mass_kg"))
def weighed_over_declared(items: ItemColumns) -> Sides:
    """Mass on the weighbridge over the gross mass declared for the whole crossing."""
    return items.number("weighed_mass_kg"), _crossing_total(items, "gross_mass_kg")


@feature(unit="zeros", reads=("declared_value",))
def value_roundness(items: ItemColumns) -> Numbers:
    """How round the declared value is: the number of zeros that it ends with."""
    return _roundness(items, 0)


@feature(unit="zeros", reads=("net_mass_kg",))
def mass_roundness(items: ItemColumns) -> Numbers:
    """How round the declared net mass is: the number of zeros that it ends with."""
    return _roundness(items, 1)


# Duty


@feature(unit="fraction", reads=("duty_rate",))
def duty_rate(items: ItemColumns) -> Numbers:
    """Rate of duty of the goods line."""
    return items.number("duty_rate")


@ratio(unit="fraction", reads=("duty_amount", "declared_value"))
def duty_share(items: ItemColumns) -> Sides:
    """Duty as a share of the declared value."""
    return items.number("duty_amount"), items.number("declared_value")


@ratio(unit="ratio", reads=("duty_amount", "declared_value", "duty_rate"))
def duty_over_rate(items: ItemColumns) -> Sides:
    """Duty charged over the duty that the rate demands; below 1 is less than the rate."""
    demanded = items.number("declared_value") * items.number("duty_rate")
    return items.number("duty_amount"), demanded


# The crossing as a whole, and who stands behind the goods line (as an operator, never as a person)


@feature(unit="items", reads=("crossing_id", "item_no"))
def item_count(items: ItemColumns) -> Numbers:
    """Number of goods lines in the crossing."""
    index = _crossing_index(items)
    return np.bincount(index)[index].astype(np.float64) if len(index) else np.zeros(0)


@feature(unit="currency", reads=("crossing_id", "declared_value"))
def crossing_value(items: ItemColumns) -> Numbers:
    """Declared value of all goods lines of the crossing."""
    return _crossing_value(items)


@ratio(unit="fraction", reads=("crossing_id", "declared_value"))
def share_of_crossing_value(items: ItemColumns) -> Sides:
    """Share of this goods line in the declared value of the crossing."""
    return items.number("declared_value"), _crossing_value(items)


@feature(unit="days", reads=("importer_registered_at", "known_at"))
def importer_age_days(items: ItemColumns) -> Numbers:
    """Days since the importing company was registered."""
    age = items.instant("known_at") - items.instant("importer_registered_at")
    return np.where(np.isnat(age), np.nan, _microseconds(age) / _DAY_US)


@feature(unit="yes or no", reads=("authorised_operator",))
def authorised_operator(items: ItemColumns) -> Numbers:
    """Whether an authorised economic operator lodged it."""
    return items.number("authorised_operator")


@feature(unit="fields", reads=_OPTIONAL_FIELDS)
def missing_fields(items: ItemColumns) -> Numbers:
    """How many of ten usual fields were left empty, from goods code to carrier."""
    given = [found for name in _OPTIONAL_FIELDS if (found := items.values.get(name)) is not None]
    numbers = [column for column in given if column.dtype != object]
    texts = [column for column in given if column.dtype == object]
    empty = np.full(items.n_items, float(len(_OPTIONAL_FIELDS) - len(given)))
    if numbers:
        empty += np.add.reduce(np.isnan(np.array(numbers)), axis=0)
    if texts:
        empty += [line.count(None) for line in zip(*(column.tolist() for column in texts), strict=True)]
    return empty
