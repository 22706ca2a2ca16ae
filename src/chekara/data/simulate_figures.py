"""Figures behind the simulated border: posts, goods and trade partners of the Kyrgyz Republic, rounded.

Posts and their neighbours are real; their coordinates are good to a few kilometres, shares and capacities are
orders of magnitude. Goods carry HS 2022 subheadings, a usual customs value in US dollars per kilogram and an
import duty near the common customs tariff of the Eurasian Economic Union. None of it is a statistic to quote.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Post:
    """One crossing point.

    Attributes
    ----------
    code, name : str
    neighbour : str
        ISO 3166-1 alpha-2; ``KG`` for posts inside the country (airports, the mail exchange).
    mode : str
        Of `chekara.domain.vocabulary.MODES`.
    border_regime : {'external', 'union'}
        ``union``: the neighbour is in the same customs union.
    latitude, longitude : float
        Degrees.
    capacity : int
        Inspections a shift.
    share : float
        Relative traffic within its corridor.
    """

    code: str
    name: str
    neighbour: str
    mode: str
    border_regime: str
    latitude: float
    longitude: float
    capacity: int
    share: float


@dataclass(frozen=True, slots=True)
class Goods:
    """One kind of goods.

    Attributes
    ----------
    hs_code, description : str
    usd_per_kg : float
        Usual customs value.
    spread : float
        Standard deviation of its natural logarithm between honest consignments.
    duty_rate : float
        Fraction.
    kg_per_piece : float
        0 where goods are not counted in pieces.
    share : float
        Relative number of goods lines.
    origins : tuple of str
        Usual origins, the most usual first.
    passed_off_as : str
        HS code that these goods are declared under by those who misclassify; empty where nobody gains by it.
    """

    hs_code: str
    description: str
    usd_per_kg: float
    spread: float
    duty_rate: float
    kg_per_piece: float
    share: float
    origins: tuple[str, ...]
    passed_off_as: str = ""


POSTS: tuple[Post, ...] = (
    Post("TORUGART", "Torugart-Avtodorozhny", "CN", "road", "external", 40.55, 75.39, 18, 0.55),
    Post("IRKESHTAM", "Irkeshtam-Avtodorozhny", "CN", "road", "external", 39.68, 73.91, 16, 0.45),
    Post("AK-JOL", "Ak-Jol-Avtodorozhny", "KZ", "road", "union", 43.04, 74.71, 24, 0.45),
    Post("CHALDYBAR", "Chaldybar-Avtodorozhny", "KZ", "road", "union", 42.84, 73.53, 14, 0.20),
    Post("KEN-BULUN", "Ken-Bulun-Avtodorozhny", "KZ", "road", "union", 42.93, 75.10, 10, 0.15),
    Post("LUGOVAYA", "Lugovaya-Jeleznodorojnaya", "KZ", "rail", "union", 42.94, 72.76, 8, 0.20),
    Post("DOSTUK", "Dostuk-Avtodorozhny", "UZ", "road", "external", 40.73, 72.73, 20, 0.70),
    Post("KARA-SUU", "Kara-Suu-Jeleznodorojnaya", "UZ", "rail", "external", 40.70, 72.87, 6, 0.30),
    Post("BOR-DOBO", "Bor-Dobo", "TJ", "road", "external", 39.44, 73.24, 8, 0.45),
    Post("KYZYL-BEL", "Kyzyl-Bel", "TJ", "road", "external", 40.08, 70.80, 10, 0.55),
    Post("MANAS", "Manas Airport", "KG", "air", "external", 43.06, 74.48, 12, 0.75),
    Post("OSH", "Osh Airport", "KG", "air", "external", 40.61, 72.79, 8, 0.20),
    Post("BISHKEK-POST", "Bishkek International Mail Exchange", "KG", "post", "external", 42.87, 74.59, 10, 0.05),
)

# Which corridor goods of an origin take: (neighbour of the post, share). KG stands for the airports and the mail.
CORRIDORS: dict[str, tuple[tuple[str, float], ...]] = {
    "CN": (("CN", 0.80), ("KZ", 0.14), ("KG", 0.06)),
    "KZ": (("KZ", 1.00),),
    "RU": (("KZ", 0.95), ("KG", 0.05)),
    "UZ": (("UZ", 0.92), ("TJ", 0.08)),
    "TJ": (("TJ", 0.95), ("UZ", 0.05)),
    "TR": (("KZ", 0.55), ("UZ", 0.25), ("KG", 0.20)),
    "DE": (("KZ", 0.75), ("KG", 0.25)),
    "PL": (("KZ", 0.90), ("KG", 0.10)),
    "KR": (("KZ", 0.45), ("CN", 0.35), ("KG", 0.20)),
    "JP": (("KZ", 0.55), ("CN", 0.35), ("KG", 0.10)),
    "AE": (("KG", 0.60), ("UZ", 0.25), ("TJ", 0.15)),
    "US": (("KG", 0.40), ("KZ", 0.60)),
    "IR": (("TJ", 0.30), ("UZ", 0.55), ("KZ", 0.15)),
    "PK": (("TJ", 0.35), ("CN", 0.50), ("KG", 0.15)),
    "IN": (("KG", 0.50), ("KZ", 0.30), ("UZ", 0.20)),
}

# Origins whose goods enter free of duty: members of the union, and of the CIS free-trade area.
UNION_ORIGINS = ("KZ", "RU", "BY", "AM")
FREE_TRADE_ORIGINS = ("UZ", "TJ", "MD")

GOODS: tuple[Goods, ...] = (
    Goods("020230", "Frozen boneless beef", 4.2, 0.18, 0.15, 0, 1.2, ("KZ", "RU", "IN")),
    Goods("020714", "Frozen chicken cuts", 1.7, 0.16, 0.25, 0, 1.5, ("RU", "US", "TR")),
    Goods("040690", "Cheese", 5.1, 0.20, 0.15, 0, 0.8, ("RU", "KZ", "PL")),
    Goods("070310", "Onions", 0.28, 0.25, 0.10, 0, 1.0, ("UZ", "TJ", "CN")),
    Goods("080521", "Mandarins", 0.95, 0.22, 0.05, 0, 1.4, ("CN", "PK", "TR")),
    Goods("080810", "Apples", 0.62, 0.22, 0.08, 0, 1.3, ("CN", "UZ", "PL")),
    Goods("080620", "Raisins", 1.9, 0.22, 0.05, 0, 0.6, ("UZ", "IR", "TJ")),
    Goods("090240", "Black tea", 2.9, 0.25, 0.10, 0, 0.7, ("IN", "CN", "KZ")),
    Goods("100199", "Wheat", 0.24, 0.10, 0.05, 0, 1.2, ("KZ", "RU")),
    Goods("110100", "Wheat flour", 0.33, 0.10, 0.10, 0, 1.3, ("KZ", "RU")),
    Goods("151219", "Sunflower oil", 1.3, 0.12, 0.12, 0, 1.2, ("RU", "KZ")),
    Goods("170199", "White sugar", 0.66, 0.10, 0.20, 0, 1.1, ("RU", "KZ", "UZ")),
    Goods("180690", "Chocolate", 4.4, 0.22, 0.12, 0, 1.2, ("RU", "TR", "KZ")),
    Goods("210690", "Food preparations", 6.8, 0.35, 0.09, 0, 0.9, ("RU", "TR", "KR")),
    Goods("240220", "Cigarettes", 19.0, 0.15, 0.20, 0.02, 0.5, ("RU", "KZ", "AE"), "170199"),
    Goods("252329", "Cement", 0.07, 0.10, 0.05, 0, 0.8, ("KZ", "UZ", "IR")),
    Goods("271012", "Motor petrol", 0.78, 0.08, 0.05, 0, 1.2, ("RU", "KZ")),
    Goods("300490", "Medicines", 42.0, 0.45, 0.05, 0, 1.1, ("IN", "RU", "DE", "TR")),
    Goods("330499", "Cosmetics", 11.5, 0.35, 0.065, 0, 1.0, ("TR", "KR", "RU"), "340250"),
    Goods("340250", "Washing powders", 1.4, 0.20, 0.05, 0, 1.0, ("RU", "KZ", "TR")),
    Goods("392690", "Articles of plastics", 3.1, 0.35, 0.065, 0, 2.6, ("CN", "TR", "RU")),
    Goods("401110", "Car tyres", 3.6, 0.18, 0.10, 9.0, 1.3, ("CN", "RU", "KR")),
    Goods("481910", "Cartons", 1.1, 0.18, 0.05, 0, 0.8, ("CN", "KZ", "RU")),
    Goods("520852", "Printed cotton fabric", 6.1, 0.25, 0.10, 0, 1.9, ("CN", "PK", "UZ"), "540752"),
    Goods("540752", "Dyed polyester fabric", 3.9, 0.22, 0.05, 0, 2.6, ("CN", "TR", "KR")),
    Goods("610910", "Cotton T-shirts", 7.4, 0.25, 0.12, 0.16, 3.2, ("CN", "TR", "UZ"), "540752"),
    Goods("611020", "Cotton pullovers", 9.8, 0.25, 0.12, 0.40, 2.6, ("CN", "TR"), "540752"),
    Goods("620342", "Cotton trousers", 9.2, 0.25, 0.12, 0.55, 2.8, ("CN", "TR", "UZ"), "520852"),
    Goods("620462", "Cotton trousers for women", 9.6, 0.25, 0.12, 0.50, 2.2, ("CN", "TR"), "520852"),
    Goods("630260", "Cotton towels", 5.2, 0.22, 0.12, 0.30, 1.0, ("UZ", "TR", "CN")),
    Goods("640299", "Shoes with plastic uppers", 6.4, 0.28, 0.10, 0.85, 3.0, ("CN", "TR")),
    Goods("640399", "Leather shoes", 14.5, 0.30, 0.12, 0.95, 1.9, ("CN", "TR"), "640299"),
    Goods("690721", "Ceramic tiles", 0.42, 0.18, 0.15, 0, 1.5, ("CN", "IR", "RU")),
    Goods("721420", "Reinforcing bars", 0.64, 0.08, 0.10, 0, 1.2, ("RU", "KZ", "CN")),
    Goods("731815", "Screws and bolts", 1.7, 0.25, 0.075, 0, 1.2, ("CN", "RU", "TR")),
    Goods("761010", "Aluminium doors and frames", 4.6, 0.22, 0.12, 0, 0.9, ("CN", "TR", "RU")),
    Goods("820559", "Hand tools", 4.3, 0.28, 0.06, 0, 1.0, ("CN", "RU")),
    Goods("841510", "Air conditioners", 5.6, 0.20, 0.12, 28.0, 1.4, ("CN", "KR", "TR"), "841451"),
    Goods("841451", "Fans", 3.7, 0.22, 0.05, 3.5, 0.7, ("CN", "TR")),
    Goods("847130", "Portable computers", 95.0, 0.25, 0.0, 1.8, 0.9, ("CN", "AE", "US")),
    Goods("850440", "Power converters", 8.2, 0.35, 0.05, 0.7, 1.4, ("CN", "DE", "RU")),
    Goods("851713", "Smartphones", 260.0, 0.30, 0.05, 0.35, 1.1, ("CN", "AE", "KR"), "850440"),
    Goods("852872", "Television sets", 11.0, 0.22, 0.14, 11.0, 0.9, ("CN", "KR", "RU"), "850440"),
    Goods("870323", "Passenger cars", 9.5, 0.30, 0.15, 1500.0, 1.6, ("CN", "KR", "JP", "AE", "DE")),
    Goods("870830", "Brake parts", 5.2, 0.30, 0.05, 0, 1.4, ("CN", "DE", "RU")),
    Goods("870899", "Other parts of vehicles", 5.8, 0.35, 0.05, 0, 2.2, ("CN", "JP", "DE", "KR")),
    Goods("940161", "Upholstered seats", 3.9, 0.28, 0.12, 22.0, 1.4, ("CN", "TR", "RU"), "940360"),
    Goods("940360", "Wooden furniture", 2.5, 0.28, 0.09, 0, 1.6, ("CN", "RU", "TR")),
    Goods("950300", "Toys", 5.6, 0.32, 0.08, 0.35, 2.0, ("CN", "RU"), "392690"),
    Goods("961900", "Nappies", 3.0, 0.18, 0.05, 0, 0.9, ("RU", "CN", "TR")),
)

# What Kyrgyz exporters send out.
EXPORTS: tuple[Goods, ...] = (
    Goods("040690", "Cheese", 4.0, 0.18, 0.0, 0, 1.0, ("KG",)),
    Goods("071333", "Kidney beans", 1.1, 0.15, 0.0, 0, 3.0, ("KG",)),
    Goods("080929", "Sweet cherries", 1.6, 0.22, 0.0, 0, 1.2, ("KG",)),
    Goods("250100", "Salt", 0.09, 0.12, 0.0, 0, 0.6, ("KG",)),
    Goods("270112", "Coal", 0.05, 0.12, 0.0, 0, 2.0, ("KG",)),
    Goods("520100", "Cotton", 1.7, 0.12, 0.0, 0, 1.0, ("KG",)),
    Goods("620462", "Cotton trousers for women", 8.1, 0.25, 0.0, 0.5, 2.5, ("KG",)),
    Goods("740400", "Copper scrap", 6.1, 0.10, 0.0, 0, 1.0, ("KG",)),
)
EXPORT_DESTINATIONS = (("RU", 0.35), ("KZ", 0.30), ("UZ", 0.15), ("TR", 0.08), ("CN", 0.12))

# How a conveyance's load is spread: median net mass of all goods, kg, by type.
USUAL_LOAD_KG = {"truck": 11_500.0, "van": 900.0, "car": 140.0, "wagon": 42_000.0, "aircraft": 380.0, "other": 60.0}
VEHICLE_COUNTRIES = (("KG", 0.46), ("KZ", 0.16), ("CN", 0.13), ("UZ", 0.10), ("RU", 0.08), ("TJ", 0.05), ("TR", 0.02))
