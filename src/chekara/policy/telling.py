"""What a condition says by itself: which values, or beginnings of values, a column must have. Rules are found by it."""

from __future__ import annotations

import ast


def keys_of(node: ast.expr) -> tuple[str, frozenset[str]] | None:
    """Return a name and the texts one of which it must be, where a condition says just that."""
    match node:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=str(word))]):
            return name, frozenset([word])
        case ast.Compare(left=ast.Name(id=name), ops=[ast.In()], comparators=[ast.List() | ast.Tuple() | ast.Set()]):
            listed = node.comparators[0]
            words = [one.value for one in getattr(listed, "elts", ()) if isinstance(one, ast.Constant)]
            if words and all(isinstance(word, str) for word in words):
                return name, frozenset(map(str, words))
    return None


def prefixes_of(node: ast.expr) -> tuple[str, frozenset[str]] | None:
    """Return a name and the beginnings one of which it must have, where a condition says just that."""
    match node:
        case ast.Call(func=ast.Name(id="starts_with"), args=[ast.Name(id=name), *words]):
            return name, frozenset(str(word.value) for word in words if isinstance(word, ast.Constant))
    return None


def floor_of(node: ast.expr) -> tuple[str, float] | None:
    """Return a name and the number below which a condition is not met, where it compares just the two."""
    match node:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Gt() | ast.GtE()], comparators=[ast.Constant(value=value)]):
            number = value
        case ast.Compare(left=ast.Constant(value=value), ops=[ast.Lt() | ast.LtE()], comparators=[ast.Name(id=name)]):
            number = value
        case _:
            return None
    return (name, float(number)) if isinstance(number, int | float) and not isinstance(number, bool) else None
