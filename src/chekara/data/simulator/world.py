"""The world file: posts, routes, goods, rates. Read once, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chekara.data.simulator.world_file import check_world
from chekara.errors import ConfigurationError
from chekara.toml_lines import parse_toml

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

DEFAULT_WORLD = "kyrgyz_republic.toml"
DOMAINS = ("revenue_fraud", "contraband", "vehicle_crime", "concealed_persons", "sps_violation")
KINDS = ("undervaluation", "wrong_mass", "misclassification", "false_origin")
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Posts:
    """Crossing points, as arrays of shape (n_posts,); ``corridor`` is a position in ``World.corridors``."""

    code: Array
    name: Array
    neighbour: Array
    mode: Array
    border_regime: Array
    latitude: Floats
    longitude: Floats
    capacity: Floats
    share: Floats
    from_month: Ints
    corridor: Ints


@dataclass(frozen=True, slots=True)
class Goods:
    """Kinds of goods, imports first, as arrays of shape (n_goods,).

    Attributes
    ----------
    usd_per_kg, spread, duty_rate, kg_per_piece, share : ndarray
        Usual customs value; standard deviation of its logarithm; fraction; 0 where not counted; relative lines.
    origins : ndarray of shape (n_goods, 3)
        Positions in ``World.origins``, the most usual first.
    cover : ndarray
        Position of the goods that cheats pass these off as; -1 where nobody gains by it.
    from_month : ndarray
        Month of the simulation from which they are traded.
    chapter : ndarray
    """

    hs_code: Array
    description: Array
    usd_per_kg: Floats
    spread: Floats
    duty_rate: Floats
    kg_per_piece: Floats
    share: Floats
    origins: Ints
    cover: Ints
    from_month: Ints
    chapter: Ints


@dataclass(frozen=True, slots=True)
class World:
    """A border as its file describes it.

    Attributes
    ----------
    posts : Posts
    corridors : tuple of (str, str)
        Neighbour and mode of each corridor.
    origins : tuple of str
    chance_of_post : ndarray of shape (n_origins, n_posts)
        How goods of an origin are spread over the posts when all are open.
    goods : Goods
    n_imports : int
        Goods before this position are imported, from it on exported.
    is_free_origin, is_union_origin : ndarray of shape (n_origins,)
        Whether goods of an origin enter free of duty, and whether it is a member of the union.
    file : dict
        Everything else, as the file says it.
    """

    posts: Posts
    corridors: tuple[tuple[str, str], ...]
    origins: tuple[str, ...]
    chance_of_post: Floats
    goods: Goods
    n_imports: int
    is_free_origin: Mask
    is_union_origin: Mask
    file: dict[str, Any]

    @property
    def starts_on(self) -> np.datetime64:
        """First instant, UTC, microseconds."""
        return np.datetime64(self.file["starts_on"], "us")

    def corridor_posts(self, neighbours: list[str]) -> Ints:
        """Positions of the road posts to some neighbours that are open from the start."""
        posts = self.posts
        return np.flatnonzero(np.isin(posts.neighbour, neighbours) & (posts.mode == "road") & (posts.from_month == 0))


def load_world(path: Path | None = None) -> World:
    """Read a world file.

    Parameters
    ----------
    path : Path, optional
        Default: the world that ships, ``chekara/data/worlds/kyrgyz_republic.toml``.

    Returns
    -------
    World

    Raises
    ------
    ConfigurationError
        The file cannot be read, is not TOML, or is none that a border can be made from; names the key and its line.

    Examples
    --------
    >>> world = load_world()
    >>> str(world.posts.name[0]), world.corridors[0]
    ('Torugart-Avtodorozhny', ('CN', 'road'))
    """
    shipped = resources.files("chekara.data") / "worlds" / DEFAULT_WORLD
    source = shipped if path is None else path
    try:
        text = source.read_text(encoding="utf-8")
    except OSError:
        raise ConfigurationError("the world file cannot be read", where=source.name) from None
    except UnicodeDecodeError:
        raise ConfigurationError("the world file is not UTF-8", where=source.name) from None
    file = parse_toml(text, source.name)
    if path is not None:
        check_world(file, parse_toml(shipped.read_text(encoding="utf-8"), shipped.name), text, source.name)
    return _world_of(file)


def _world_of(file: dict[str, Any]) -> World:
    posts, corridors = _posts_of(file["posts"])
    origins = tuple(file["routes"])
    rows = [*file["goods"]["imports"], *file["goods"]["exports"]]
    free = [*file["tariff"]["union_origins"], *file["tariff"]["free_trade_origins"]]
    return World(
        posts=posts,
        corridors=corridors,
        origins=origins,
        chance_of_post=_chance_of_post(file["routes"], posts),
        goods=_goods_of(rows, origins),
        n_imports=len(file["goods"]["imports"]),
        is_free_origin=np.isin(np.array(origins), free),
        is_union_origin=np.isin(np.array(origins), file["tariff"]["union_origins"]),
        file=file,
    )


def _posts_of(tables: list[dict[str, Any]]) -> tuple[Posts, tuple[tuple[str, str], ...]]:
    def words(name: str) -> Array:
        return np.array([table[name] for table in tables], dtype=object)

    def numbers(name: str) -> Floats:
        return np.array([float(table[name]) for table in tables])

    corridors = tuple(dict.fromkeys((table["neighbour"], table["mode"]) for table in tables))
    posts = Posts(
        **{name: words(name) for name in ("code", "name", "neighbour", "mode", "border_regime")},
        **{name: numbers(name) for name in ("latitude", "longitude", "capacity", "share")},
        from_month=np.array([int(table.get("from_month", 0)) for table in tables]),
        corridor=np.array([corridors.index((table["neighbour"], table["mode"])) for table in tables]),
    )
    return posts, corridors


def _chance_of_post(routes: dict[str, dict[str, float]], posts: Posts) -> Floats:
    chance = np.zeros((len(routes), len(posts.code)))
    for row, shares in enumerate(routes.values()):
        for neighbour, share in shares.items():
            there = np.where(posts.neighbour == neighbour, posts.share, 0.0)
            chance[row] += share * there / there.sum()
    return chance


def _goods_of(rows: list[list[Any]], origins: tuple[str, ...]) -> Goods:
    codes = [row[0] for row in rows]
    columns = list(zip(*rows, strict=True))
    numbers = [np.array(columns[k], dtype=float) for k in range(2, 7)]
    usual = [[o for o in row[7] if o in origins] or [origins[0]] for row in rows]
    return Goods(
        hs_code=np.array(codes, dtype=object),
        description=np.array(columns[1], dtype=object),
        usd_per_kg=numbers[0],
        spread=numbers[1],
        duty_rate=numbers[2],
        kg_per_piece=numbers[3],
        share=numbers[4],
        origins=np.array([[origins.index(o[min(k, len(o) - 1)]) for k in range(3)] for o in usual]),
        cover=np.array([codes.index(row[8]) if row[8] else -1 for row in rows]),
        from_month=np.array(columns[9], dtype=np.int64),
        chapter=np.array([int(code[:2]) for code in codes]),
    )


def shares_of(weights: npt.ArrayLike) -> Floats:
    """Scale weights to sum to 1."""
    values = np.asarray(weights, dtype=float)
    return np.asarray(values / values.sum(), dtype=np.float64)


def draw(weights: npt.ArrayLike, size: int, rng: np.random.Generator) -> Ints:
    """Draw positions with chances in proportion to weights; much faster than ``Generator.choice`` for many weights.

    Parameters
    ----------
    weights : array_like of shape (k,)
    size : int
    rng : Generator

    Returns
    -------
    ndarray of shape (size,)
        Positions, 0 to k - 1.
    """
    ladder = np.cumsum(np.asarray(weights, dtype=float))
    drawn = np.searchsorted(ladder, rng.random(size) * ladder[-1], side="right")
    return np.asarray(np.minimum(drawn, len(ladder) - 1), dtype=np.int64)


def between(bounds: Sequence[float], size: int, rng: np.random.Generator) -> Floats:
    """Draw numbers evenly between two bounds.

    Parameters
    ----------
    bounds : sequence of two floats
    size : int
    rng : Generator

    Returns
    -------
    ndarray of shape (size,)
    """
    low, high = bounds
    return np.asarray(rng.uniform(low, high, size), dtype=np.float64)


def days_between(bounds: Sequence[float], size: int, rng: np.random.Generator) -> Ints:
    """Draw whole numbers evenly from a lower bound up to, without, an upper one.

    Parameters
    ----------
    bounds : sequence of two numbers
    size : int
    rng : Generator

    Returns
    -------
    ndarray of shape (size,)
    """
    low, high = bounds
    return np.asarray(rng.integers(int(low), int(high), size), dtype=np.int64)
