"""The column contract: one definition that validates, documents and generates.

Everything that reads or writes a crossing derives from the tables here: frame validation
(``chekara.data.checks``), the request body and its OpenAPI schema (``chekara.api.parse``), the page
``docs/data-contract.md`` and the simulator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from chekara.domain import vocabulary as words
from chekara.settings import Limits

Kind = Literal["string", "code", "number", "integer", "boolean", "instant", "date"]
EntityType = Literal["importer", "exporter", "declarant", "carrier", "vehicle", "trailer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    r"""One column of the contract.

    Attributes
    ----------
    name : str
    kind : Kind
        ``code`` is a string compared exactly; ``instant`` carries an offset; ``date`` is a calendar day.
    description : str
        One line for the documentation.
    unit : str or None
        Unit of a number.
    required : bool
        A row without it is refused.
    default : str, int or None
        Value that an absent field stands for; the name of another column in angle brackets copies that one.
    values : tuple of str
        Allowed values; empty means any.
    pattern : str or None
        Regular expression that a whole value must match. It names its letters and digits (``[0-9]``), because ``\d``
        means the digits of every script in some engines and ten ASCII ones in others.
    minimum, maximum : float or None
        Inclusive bounds of a number.
    entity : EntityType or None
        Set for entity ids: canonicalised and tokenised at the door, exempt from the content check.
    sensitive : bool
        For audits; a feature only where a model's spec names it with a reason.
    """

    name: str
    kind: Kind
    description: str
    unit: str | None = None
    required: bool = False
    default: str | int | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    entity: EntityType | None = None
    sensitive: bool = False


COUNTRY = "[A-Z]{2}"

# What a request may hold where a column names no bound. No mass, value or quantity comes near; far beyond it sums of
# float32 features would no longer be finite.
LARGEST_NUMBER: Final = 1e15
LARGEST_INTEGER: Final = 2**31 - 1

# Instants of files and requests lie from the first up to, and not at, the second: no clock of a border is further off,
# and what is reckoned from an instant (a due date, a half-life, a local time) stays an instant.
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

# How far ahead of the clock a crossing is lodged and a result is known, and how long before its crossing a control may
# lie: what is further off comes from a wrong clock or a slip of the pen.
FURTHEST_AHEAD: Final = timedelta(hours=24)
FURTHEST_AHEAD_PRE_ARRIVAL: Final = timedelta(days=45)
EARLIEST_CONTROL: Final = timedelta(days=366)

# Longest text of a file; what a request may hold is a setting, with this as its default.
LONGEST_TEXT: Final = Limits().text_characters

# C0 and C1 controls, line and paragraph separators, bidirectional marks, overrides and isolates, as a regular
# expression's class: each can forge a log line or reorder what an officer reads.
UNSAFE_CHARACTERS: Final = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"

HEADER_COLUMNS: tuple[Column, ...] = (
    Column(name="crossing_id", kind="string", required=True, description="Global identity of the crossing"),
    Column(name="occurred_at", kind="instant", required=True, description="When it happens, with offset"),
    Column(name="crossing_point", kind="code", required=True, description="Code of the crossing point"),
    Column(
        name="direction", kind="code", required=True, values=words.DIRECTIONS, description="Into or out of the country"
    ),
    Column(name="mode", kind="code", required=True, values=words.MODES, description="Mode of transport"),
    Column(name="known_at", kind="instant", default="<occurred_at>", description="When the authority had it"),
    Column(name="revision", kind="integer", default=0, minimum=0, description="0, or higher for a correction"),
    Column(name="stage", kind="code", default="arrival", values=words.STAGES, description="When it was lodged"),
    Column(name="movement", kind="code", values=words.MOVEMENTS, description="Kind of movement of the goods"),
    Column(name="load_status", kind="code", values=words.LOAD_STATUSES, description="Whether the conveyance is loaded"),
    Column(name="carrier_id", kind="string", entity="carrier", description="Carrier"),
    Column(name="vehicle_id", kind="string", entity="vehicle", description="Vehicle or its plate"),
    Column(name="trailer_id", kind="string", entity="trailer", description="Trailer or its plate"),
    Column(name="journey_id", kind="string", description="Joins entry to exit"),
    Column(name="vehicle_country", kind="code", pattern=COUNTRY, sensitive=True, description="Country of registration"),
    Column(name="vehicle_type", kind="code", values=words.VEHICLE_TYPES, description="Type of conveyance"),
    Column(name="seal_status", kind="code", values=words.SEAL_STATUSES, description="State of the customs seal"),
    Column(name="guarantee_type", kind="code", description="Guarantee of a transit"),
    Column(
        name="transit_hours", kind="number", unit="h", minimum=0, description="Hours since dispatch or previous border"
    ),
    Column(name="weighed_mass_kg", kind="number", unit="kg", minimum=0, description="Mass on the weighbridge"),
    Column(name="occupants", kind="integer", unit="persons", minimum=0, description="A count, never who"),
)

ITEM_COLUMNS: tuple[Column, ...] = (
    Column(name="item_no", kind="integer", default=1, minimum=1, description="Goods line, from 1"),
    Column(name="declaration_id", kind="string", description="Declaration that the line belongs to"),
    Column(name="procedure", kind="code", description="Customs procedure code"),
    Column(name="importer_id", kind="string", entity="importer", description="Importer"),
    Column(name="exporter_id", kind="string", entity="exporter", description="Exporter"),
    Column(name="declarant_id", kind="string", entity="declarant", description="Declarant or broker"),
    Column(name="origin_country", kind="code", pattern=COUNTRY, description="Country of origin"),
    Column(name="dispatch_country", kind="code", pattern=COUNTRY, description="Country of dispatch"),
    Column(name="destination_country", kind="code", pattern=COUNTRY, description="Country of destination"),
    Column(name="hs_code", kind="code", pattern="[0-9]{4,12}", description="Harmonised System code, 4 to 12 digits"),
    Column(
        name="hs_version", kind="code", default="2022", pattern="[0-9]{4}", description="Edition of the nomenclature"
    ),
    Column(name="goods_description", kind="string", description="Goods in words"),
    Column(
        name="declared_value",
        kind="number",
        unit="currency",
        minimum=0,
        description="Customs value, reporting currency",
    ),
    Column(name="duty_rate", kind="number", unit="fraction", minimum=0, maximum=100, description="0.05 is 5 %"),
    Column(name="duty_amount", kind="number", unit="currency", minimum=0, description="Duty, reporting currency"),
    Column(name="net_mass_kg", kind="number", unit="kg", minimum=0, description="Net mass"),
    Column(name="gross_mass_kg", kind="number", unit="kg", minimum=0, description="Gross mass"),
    Column(name="quantity", kind="number", unit="quantity_unit", minimum=0, description="Supplementary quantity"),
    Column(name="quantity_unit", kind="code", description="UNECE Recommendation 20 code"),
    Column(name="packages", kind="integer", unit="packages", minimum=0, description="Number of packages"),
    Column(name="preference_code", kind="code", description="Tariff preference claimed"),
    Column(name="valuation_method", kind="code", description="Method of customs valuation"),
    Column(name="authorised_operator", kind="boolean", description="Whether an authorised economic operator lodged it"),
    Column(
        name="importer_registered_at", kind="date", description="Registration of a legal entity; never a birth date"
    ),
)

INSPECTION_COLUMNS: tuple[Column, ...] = (
    Column(name="inspection_id", kind="string", required=True, description="Identity of the inspection"),
    Column(name="crossing_id", kind="string", required=True, description="The crossing inspected"),
    Column(name="domain", kind="code", required=True, description="Risk domain that it was made for"),
    Column(name="inspected_at", kind="instant", required=True, description="When it happened"),
    Column(name="known_at", kind="instant", required=True, description="When the authority had the result"),
    Column(name="selected_by", kind="code", required=True, values=words.SELECTED_BY, description="What sent it there"),
    Column(name="found", kind="boolean", required=True, description="Whether there was a hit"),
    Column(
        name="propensity",
        kind="number",
        unit="probability",
        minimum=0,
        maximum=1,
        description="Probability of having been drawn, for random",
    ),
    Column(name="revision", kind="integer", default=0, minimum=0, description="0, or higher for a changed result"),
    Column(name="control_id", kind="string", description="One joint control, many domain rows"),
    Column(name="item_no", kind="integer", minimum=1, description="Item meant; empty means the whole crossing"),
    Column(name="agency", kind="code", description="Agency that inspected"),
    Column(name="inspector_id", kind="string", sensitive=True, description="Pseudonym, for audits, never a feature"),
    Column(
        name="status", kind="code", default="done", values=words.INSPECTION_STATUSES, description="Whether it was made"
    ),
    Column(name="method", kind="code", values=words.INSPECTION_METHODS, description="How it was made"),
    Column(name="result", kind="code", values=words.INSPECTION_RESULTS, description="What is known of it"),
    Column(name="irregularity", kind="code", description="Kind of irregularity"),
    Column(name="seizure_kind", kind="code", description="What was seized"),
    Column(name="seized_quantity", kind="number", unit="seized_unit", minimum=0, description="How much was seized"),
    Column(name="seized_unit", kind="code", description="Unit of the quantity seized"),
    Column(name="seized_value", kind="number", unit="currency", minimum=0, description="Value of what was seized"),
    Column(name="assessed_value", kind="number", unit="currency", minimum=0, description="Customs value as assessed"),
    Column(name="revenue_recovered", kind="number", unit="currency", minimum=0, description="Revenue recovered"),
)

CROSSING_POINT_COLUMNS: tuple[Column, ...] = (
    Column(name="code", kind="code", required=True, description="Code of the crossing point"),
    Column(name="name", kind="string", description="Its name"),
    Column(name="neighbour", kind="code", pattern=COUNTRY, description="Country on the other side"),
    Column(name="mode", kind="code", values=words.MODES, description="Mode of transport"),
    Column(name="border_regime", kind="code", values=words.BORDER_REGIMES, description="External or customs union"),
    Column(name="latitude", kind="number", unit="degrees", minimum=-90, maximum=90, description="North positive"),
    Column(name="longitude", kind="number", unit="degrees", minimum=-180, maximum=180, description="East positive"),
    Column(name="capacity", kind="number", unit="inspections/shift", minimum=0, description="Inspections a shift"),
)

CROSSING_COLUMNS: tuple[Column, ...] = HEADER_COLUMNS + ITEM_COLUMNS
EXTENSION_PREFIX = "x_"

TABLES: dict[str, tuple[Column, ...]] = {
    "crossings": CROSSING_COLUMNS,
    "inspections": INSPECTION_COLUMNS,
    "crossing_points": CROSSING_POINT_COLUMNS,
}
KEYS: dict[str, tuple[str, ...]] = {
    "crossings": ("crossing_id", "revision", "item_no"),
    "inspections": ("inspection_id", "revision"),
    "crossing_points": ("code",),
}


def columns_by_name(columns: Iterable[Column]) -> dict[str, Column]:
    """Index columns by name.

    Examples
    --------
    >>> columns_by_name(ITEM_COLUMNS)["net_mass_kg"].unit
    'kg'
    """
    return {column.name: column for column in columns}


def is_extension(name: str) -> bool:
    """Whether a column is a national extension (``x_...``): ignored unless a model names it."""
    return name.startswith(EXTENSION_PREFIX)
