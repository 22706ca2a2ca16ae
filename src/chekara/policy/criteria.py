"""Criteria of rules: expressions over what was declared and what is known, read without ever being run as code.

The grammar is the part of Python's expressions that compares, combines and calculates; Python's own parser reads it,
and only the nodes named here are taken. What is left is compiled once, into functions that look values up.

A value that was not given is neither true nor false (Kleene's logic): a comparison with it is unknown, unknown stays
unknown under ``not``, and only what is true counts as met. So a missing value never meets a rule, and never raises.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final, TypeAlias, TypeVar

from chekara.errors import ConfigurationError
from chekara.policy.conditions import Criteria, Kind, Part, Read, Readable, Row
from chekara.policy.patterns import compile_pattern
from chekara.policy.telling import floor_of, keys_of, prefixes_of

Told = TypeVar("Told", frozenset[str], float)

LONGEST, DEEPEST, MOST_WORDS = 1_000, 12, 500
"""Characters, nested operations, and constants of an expression."""

Resolve: TypeAlias = Callable[[str], Readable]
"""Finds what a name stands for; raises ConfigurationError where criteria may not read it."""


def compile_criteria(text: str, resolve: Resolve) -> Criteria:
    """Read an expression.

    Parameters
    ----------
    text : str
        For example ``mode == "road" and starts_with(hs_code, "8703") and declared_value / net_mass_kg < 2``.
    resolve : callable
        Finds what a name stands for.

    Returns
    -------
    Criteria

    Raises
    ------
    ConfigurationError
        It is no expression of this grammar, is too long or too deep, names what criteria may not read, or compares
        what cannot be compared. The error says where in the line.

    Examples
    --------
    >>> columns = {"mode": Readable("text", is_header=True), "net_mass_kg": Readable("number")}
    >>> criteria = compile_criteria('mode == "road" and net_mass_kg > 20_000', columns.__getitem__)
    >>> criteria.first_met({"mode": "road"}, lambda: [{}, {"net_mass_kg": 21000.0}])
    1
    """
    if len(text) > LONGEST:
        raise ConfigurationError("the expression is too long", hint=f"at most {LONGEST} characters; split the rule")
    tree = _parsed(text)
    if tree is None:
        raise ConfigurationError("not an expression", hint="for example: hs_code in ['1001', '1003']")
    if _depth(tree) > DEEPEST:
        raise ConfigurationError(
            "the expression is nested too deeply", hint=f"at most {DEEPEST} levels; split the rule"
        )
    compiler = _Compiler(resolve)
    parts = [compiler.part(node) for node in _conjuncts(tree)]
    if not any(part.names for part in parts):
        raise ConfigurationError("the expression reads nothing of a crossing")
    return Criteria(text, tuple(p for p in parts if p.is_header), tuple(p for p in parts if not p.is_header))


def _parsed(text: str) -> ast.expr | None:
    try:
        # Python takes a line break for the end; within parentheses it does not.
        tree = ast.parse(f"(\n{text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    # Were the text to close these parentheses itself, what was read would begin with them.
    return tree if tree.lineno > 1 else None


def _depth(node: ast.AST) -> int:
    deepest, level = 0, [node]
    while level and deepest <= DEEPEST:
        deepest += 1
        inner = [child for one in level for child in ast.iter_child_nodes(one)]
        level = [child for child in inner if isinstance(child, ast.expr)]
    return deepest


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):  # Python reads -2 as a minus before a 2
        node = node.operand
    return isinstance(node, ast.Constant)


def _conjuncts(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for value in node.values:
            yield from _conjuncts(value)
    else:
        yield node


_NUMBERS: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ORDERS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EQUALS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_FUNCTIONS: Final = ("given", "starts_with", "contains", "matches")


@dataclass(frozen=True, slots=True)
class _Typed:
    kind: Kind
    read: Read
    readable: Readable | None = None  # of a name that stands alone


class _Compiler:
    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._names: dict[str, Readable] = {}
        self._n_constants = 0

    def part(self, node: ast.expr) -> Part:
        self._names = {}
        found = self._typed(node)
        if found.kind != "boolean":
            raise self._error(node, "this is neither true nor false", "compare it with something")
        return Part(
            read=found.read,
            names=frozenset(self._names),
            is_header=bool(self._names) and all(own.is_header for own in self._names.values()),
            keys=self._given(keys_of(node)),
            prefixes=self._given(prefixes_of(node)),
            floor=self._given(floor_of(node)),
        )

    def _given(self, told: tuple[str, Told] | None) -> tuple[str, Told] | None:
        """Keep what a condition tells of a declared column: a feature is computed for candidates alone."""
        return told if told is not None and self._names[told[0]].is_given else None

    def _typed(self, node: ast.expr) -> _Typed:
        match node:
            case ast.Constant():
                found = self._constant(node)
            case ast.Name():
                found = self._name(node)
            case ast.BoolOp():
                found = self._logic(node)
            case ast.UnaryOp():
                found = self._unary(node)
            case ast.BinOp():
                found = self._arithmetic(node)
            case ast.Compare():
                found = self._compare(node)
            case ast.Call():
                found = self._call(node)
            case _:
                raise self._error(node, "criteria compare, combine and calculate, and do nothing else")
        return found

    def _error(self, node: ast.expr, detail: str, hint: str | None = None) -> ConfigurationError:
        # The text stands in the second line of what was parsed.
        place = f"character {node.col_offset + 1}" if node.lineno == 2 else f"line {node.lineno - 1} of the expression"
        return ConfigurationError(detail, where=place, hint=hint)

    def _constant(self, node: ast.Constant) -> _Typed:
        value = node.value
        self._n_constants += 1
        if self._n_constants > MOST_WORDS:
            raise self._error(node, "too many constants", f"at most {MOST_WORDS}; a watch list holds more")
        if isinstance(value, bool):
            return _Typed("boolean", lambda _row: value)
        if isinstance(value, int | float):
            try:
                number = float(value)
            except OverflowError:
                raise self._error(node, "this number is too large") from None
            return _Typed("number", lambda _row: number)
        if isinstance(value, str):
            return _Typed("text", lambda _row: value)
        raise self._error(node, "only numbers, texts and True or False can be written here")

    def _find(self, node: ast.Name) -> Readable:
        try:
            found = self._resolve(node.id)
        except ConfigurationError as error:
            raise self._error(node, error.detail, error.hint) from None
        self._names[node.id] = found
        return found

    def _name(self, node: ast.Name) -> _Typed:
        found, name = self._find(node), node.id
        if found.kind is None:
            raise self._error(node, "an id is not compared here", "use given(...), or a watch list")
        return _Typed(found.kind, lambda row: row.get(name), found)

    def _logic(self, node: ast.BoolOp) -> _Typed:
        parts = [self._of_kind(value, "boolean").read for value in node.values]
        # The first true one settles an or, the first false one an and.
        settles: bool = isinstance(node.op, ast.Or)

        def read(row: Row) -> bool | None:
            is_unknown = False
            for part in parts:
                value: bool | None = part(row)
                if value is settles:
                    return value
                is_unknown = is_unknown or value is None
            return None if is_unknown else not settles

        return _Typed("boolean", read)

    def _unary(self, node: ast.UnaryOp) -> _Typed:
        if isinstance(node.op, ast.Not):
            inner = self._of_kind(node.operand, "boolean").read
            return _Typed("boolean", lambda row: None if (value := inner(row)) is None else not value)
        if isinstance(node.op, ast.USub):
            number = self._of_kind(node.operand, "number").read
            return _Typed("number", lambda row: None if (value := number(row)) is None else -value)
        raise self._error(node, "this operator is not known here", "use not, or - before a number")

    def _arithmetic(self, node: ast.BinOp) -> _Typed:
        calculate = _NUMBERS.get(type(node.op))
        if calculate is None:
            raise self._error(node, "this operator is not known here", "use + - * /")
        left, right = self._of_kind(node.left, "number").read, self._of_kind(node.right, "number").read

        def read(row: Row) -> float | None:
            a, b = left(row), right(row)
            if a is None or b is None:
                return None
            try:
                found: float = calculate(a, b)
            except (ZeroDivisionError, OverflowError):
                return None
            return None if isnan(found) else found  # infinity less infinity

        return _Typed("number", read)

    def _of_kind(self, node: ast.expr, kind: Kind) -> _Typed:
        found = self._typed(node)
        if found.kind != kind:
            raise self._error(node, f"this is a {found.kind}, and a {kind} is needed here")
        return found

    def _compare(self, node: ast.Compare) -> _Typed:
        sides = [node.left, *node.comparators]
        reads = [
            self._pair(left, op, right) for left, op, right in zip(sides, node.ops, node.comparators, strict=False)
        ]
        if len(reads) == 1:
            return _Typed("boolean", reads[0])

        def read(row: Row) -> bool | None:
            found = [one(row) for one in reads]
            if False in found:
                return False
            return None if None in found else True

        return _Typed("boolean", read)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Read:
        if isinstance(op, ast.In | ast.NotIn):
            return self._member(left, right, is_in=isinstance(op, ast.In))
        a, b = self._typed(left), self._typed(right)
        if a.kind != b.kind:
            raise self._error(right, f"a {a.kind} is compared with a {b.kind}")
        compare = _EQUALS.get(type(op)) or (_ORDERS.get(type(op)) if a.kind == "number" else None)
        if compare is None:
            raise self._error(right, "only numbers have an order", "use == != or in")
        for one, other in ((a, right), (b, left)):
            self._check_word(one, other)
        return _compared(compare, a.read, b.read)

    def _member(self, left: ast.expr, right: ast.expr, *, is_in: bool) -> Read:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set) or not right.elts:
            raise self._error(right, "in is followed by a list of constants", "for example ['1001', '1003']")
        member = self._typed(left)
        words = set()
        for element in right.elts:
            constant = self._of_kind(element, member.kind)
            if not _is_constant(element) or constant.kind == "boolean":
                raise self._error(element, "a list holds texts or numbers")
            self._check_word(member, element)
            words.add(constant.read({}))
        value, found = member.read, frozenset(words)
        return lambda row: None if (own := value(row)) is None else bool(own in found) is is_in

    def _check_word(self, named: _Typed, constant: ast.expr) -> None:
        """Refuse a word that the column never holds: the rule would wait for it in vain."""
        own = named.readable
        if own is None or not isinstance(constant, ast.Constant) or not isinstance(constant.value, str):
            return
        if own.values and constant.value not in own.values:
            raise self._error(constant, "the column never holds this", f"it holds: {', '.join(own.values)}")
        if own.pattern is not None and not re.fullmatch(own.pattern, constant.value):
            raise self._error(constant, "the column never holds this", f"it looks like {own.pattern}")

    def _call(self, node: ast.Call) -> _Typed:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in _FUNCTIONS or node.keywords or not node.args or not isinstance(node.args[0], ast.Name):
            raise self._error(node, "this is no function of criteria", f"{', '.join(_FUNCTIONS)}, of a name")
        subject = node.args[0]
        if name == "given":
            if len(node.args) > 1:
                raise self._error(node, "given takes one name")
            self._find(subject)
            own = subject.id
            return _Typed("boolean", lambda row: row.get(own) is not None)
        text = self._of_kind(subject, "text").read
        words = [self._word(arg) for arg in node.args[1:]]
        if not words:
            raise self._error(node, f"{name} needs a text to look for")
        return _Typed("boolean", _search(name, text, words, lambda detail: self._error(node, detail)))

    def _word(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            self._constant(node)
            return node.value
        raise self._error(node, "a text in quotation marks is needed here")


def _search(name: str | None, text: Read, words: Sequence[str], error: Callable[[str], ConfigurationError]) -> Read:
    if name == "starts_with":
        beginnings = tuple(words)
        return lambda row: None if (own := text(row)) is None else own.startswith(beginnings)
    if name == "contains":
        inside = [word.casefold() for word in words]
        return lambda row: None if (own := text(row)) is None else any(word in own.casefold() for word in inside)
    try:
        patterns = [compile_pattern(word) for word in words]
    except ConfigurationError as refused:
        raise error(refused.detail) from None
    return lambda row: None if (own := text(row)) is None else any(p.search(own) is not None for p in patterns)


def _compared(compare: Callable[[Any, Any], bool], left: Read, right: Read) -> Read:
    def read(row: Row) -> bool | None:
        a, b = left(row), right(row)
        return None if a is None or b is None else compare(a, b)

    return read
