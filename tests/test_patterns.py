"""Every regular expression of the package takes a time in proportion to the text, whatever the text is.

The engine of the standard library goes back and tries again, and holds the interpreter while it does: a pattern whose
time grows with the square of the text stops a server for seconds at a cell of some kilobytes.
"""

from __future__ import annotations

import ast
import importlib
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import pytest

from nncli.data.formats.csv.records import QuoteRepair
from nncli.data.number_and_date_forms import SEPARATORS
from nncli.data.sources.database.writer_types import ACCEPTED, FLOAT
from nncli.data.sources.workbook.xml_files import _not_computed
from nncli.integrations.python.standalone.cells import SPACE, NumberFormat
from nncli.targets.orders import _PERIODS
from tests.test_architecture import SOURCES, module_of, trees
from tests.thorough import IS_THOROUGH

# The parse tree of a pattern is in no public module.
parser: Any = importlib.import_module("re._parser")
compiler: Any = importlib.import_module("re._compiler")

Pattern: TypeAlias = "re.Pattern[Any]"

MODULES = {module_of(path): path for path, text in SOURCES.items() if re.search(r"\bre\.[a-z]", text)}
"""Those that may hold patterns."""
METHODS = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
REPEATED = {"sub", "subn", "split", "findall", "finditer"}
"""They search again behind each match."""
REPEATS = (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT)
CHARACTERS = [*map(chr, range(128)), *"éßİſ\u0663−–€\u3000\ud800\ufffe中"]
BYTES = [*map(chr, range(256))]

SIZES = (16, 20, 24, 64, 256, 1_024, 4_096)
LONG = 100_000
MAX_TEXTS = 1_000 if IS_THOROUGH else 50
QUOTING = [QuoteRepair(separator) for separator in (",", "\t")]
NUMBERS = [NumberFormat(), NumberFormat(",", "."), NumberFormat(".", " ")]
BUILT: dict[str, list[tuple[Pattern, str]]] = {
    "nncli.data.formats.csv.records": [
        *((pattern, "match") for repair in QUOTING for pattern in (repair._quoted, repair._plain)),
        (re.compile(rb'"(?=,|$)'), "finditer"),
    ],
    "nncli.data.columns.parsing": [(re.compile(rf"\d{mark}\d"), "search") for mark in (",", r"\.")],
    "nncli.data.sources.database.address": [(re.compile(r"(?<!\w)secret(?!\w)"), "sub")],
    "nncli.data.sources.database.writer_types": [
        (re.compile(form), "fullmatch") for form in (FLOAT, *(form for form, _ in ACCEPTED))
    ],
    "nncli.data.sources.workbook.xml_files": [
        *((pattern, "finditer") for pattern in _not_computed(b"x:", computes_on_load=True)),
        (re.compile(b"<x:c[ />]"), "findall"),
    ],
    "nncli.integrations.python.standalone.cells": [
        (re.compile(rf"[{SPACE}]*(\+?[0-9]+)"), "match"),
        *((number._training_form, "search") for number in NUMBERS),
        *((form, "fullmatch") for number in NUMBERS for _, form in number._other_forms),
        *((re.compile(between), "sub") for between in SEPARATORS),
        (re.compile(rf"\A[{SPACE}(+-]*€|€[{SPACE})]*\Z"), "search"),
    ],
    "nncli.targets.orders": [(re.compile(form), "fullmatch") for forms in _PERIODS for form in forms],
    "nncli.targets.labels": [(re.compile(f"[{re.escape('|,')}]"), "split")],
}
"""Patterns that functions build, as these or equal ones."""
OWN_FILES = {"nncli.api.plugins", "nncli.integrations.javascript.module"}
"""Modules whose patterns read files of the package alone."""
SUSPECT, MEASURABLE = 0.0008, 0.005
"""Seconds: what growth is measured for, and what can be measured."""


def nodes_of(items: Any) -> Iterator[tuple[Any, Any]]:
    """The nodes of a parse tree."""
    for op, argument in items:
        yield op, argument
        for inner in inner_of(op, argument):
            yield from nodes_of(inner)


def inner_of(op: Any, argument: Any) -> list[Any]:
    """The sequences within a node, one after the other; the alternatives of a branch are ends of their own."""
    if op in REPEATS:
        return [argument[2]]
    if op is parser.SUBPATTERN:
        return [argument[3]]
    if op is parser.ATOMIC_GROUP:
        return [argument]
    if op in (parser.ASSERT, parser.ASSERT_NOT):
        return [argument[1]]
    if op is parser.BRANCH:
        return list(argument[1])
    if op is parser.GROUPREF_EXISTS:
        return [inner for inner in argument[1:] if inner is not None]
    return []


class Adversary:
    """Texts made from a pattern: a beginning, a piece many times, and a character that may not fit."""

    def __init__(self, pattern: Pattern) -> None:
        self.is_bytes = isinstance(pattern.pattern, bytes)
        self.tree = parser.parse(pattern.pattern, pattern.flags & ~(0 if self.is_bytes else re.UNICODE))
        sets = [
            compiler.compile(parser.SubPattern(self.tree.state, [node]), pattern.flags & ~re.UNICODE)
            for node in nodes_of(self.tree)
            if node[0] in (parser.LITERAL, parser.NOT_LITERAL, parser.IN, parser.ANY)
        ]
        # Characters that all sets of the pattern have in common or not are equal to it.
        kinds = dict[tuple[bool, ...], str]()
        for character in BYTES if self.is_bytes else CHARACTERS:
            kinds.setdefault(tuple(bool(item.fullmatch(self.encoded(character))) for item in sets), character)
        self.characters = [*kinds.values()]

    def encoded(self, text: str) -> Any:
        return text.encode("latin-1") if self.is_bytes else text

    def shortest(self, items: Any) -> str:
        """A short text that matches a sequence, but for what it asserts."""
        return "".join(map(self.shortest_of, items))

    def shortest_of(self, node: tuple[Any, Any]) -> str:
        op, argument = node
        if op in (parser.LITERAL, parser.NOT_LITERAL, parser.IN, parser.ANY):
            single = compiler.compile(parser.SubPattern(self.tree.state, [node]), self.tree.state.flags & ~re.UNICODE)
            return next((text for text in self.characters if single.fullmatch(self.encoded(text))), "")
        if op in REPEATS:
            return self.shortest(argument[2]) * int(argument[0])
        if op is parser.BRANCH:
            return str(min(map(self.shortest, argument[1]), key=len))
        if op in (parser.ASSERT, parser.ASSERT_NOT):
            return ""
        return "".join(map(self.shortest, inner_of(op, argument)))

    def beginnings(self, items: Any, before: str = "") -> Iterator[tuple[str, str]]:
        """For every repetition, what is before it, and a text that it repeats."""
        for op, argument in items:
            for inner in inner_of(op, argument):
                if op in REPEATS and argument[1] > 2:
                    yield before, self.shortest(inner)
                yield from self.beginnings(inner, before)
            before += self.shortest_of((op, argument))

    def texts(self) -> Iterator[Callable[[int], Any]]:
        """Functions that give a text of a length."""
        result = dict.fromkeys(self.beginnings(self.tree))
        if not result:
            return
        whole = self.shortest(self.tree)
        pieces = [*self.characters, *(piece for _, piece in result), whole, whole[:-1], whole[:1]]
        pieces += [
            self.shortest(branch)
            for op, branches in nodes_of(self.tree)
            if op is parser.BRANCH
            for branch in branches[1]
        ]
        pieces += [before for before, _ in result]
        pieces += [before + piece for before, piece in result]
        ends = ["", *self.characters, whole[-1:]]
        for before in dict.fromkeys(["", *(before for before, _ in result)]):
            for piece in filter(None, dict.fromkeys(pieces)):
                for end in dict.fromkeys(ends):
                    yield lambda n, before=before, piece=piece, end=end: self.encoded(  # type: ignore[misc]
                        before + piece * (n // len(piece)) + end
                    )


def seconds(pattern: Pattern, method: str, text: Any) -> float:
    """The time of the processor, which other programs do not lengthen much."""
    start = time.thread_time()
    if method in REPEATED:
        for _ in pattern.finditer(text):
            pass
    else:
        getattr(pattern, method)(text)
    return time.thread_time() - start


def is_slow(pattern: Pattern, method: str, text: Callable[[int], Any]) -> bool:
    """Whether four times the text takes more than eight times as long; measured where the times are long enough.

    The stack of the engine outgrows caches from some length on, which is a step of up to four times and no growth. So a
    second step from four to sixteen times the length must be as steep, but where the first one is steeper than that.
    """
    size = SIZES[0]
    while size < LONG and seconds(pattern, method, text(size)) < MEASURABLE:
        size += size // 4
    if size < 64:  # four times the text might take hours
        return True

    def shortest(length: int) -> float:
        return min(seconds(pattern, method, text(length)) for _ in range(3))

    short, long = shortest(size), shortest(4 * size)
    if long <= max(MEASURABLE, 8 * short):
        return False
    return long > 40 * short or all(seconds(pattern, method, text(16 * size)) > 8 * long for _ in range(2))


def slow_text(pattern: Pattern, methods: Iterable[str]) -> str | None:
    """A text for which a pattern needs more than a time in proportion to its length."""
    kinds = {"finditer" if method in REPEATED else method for method in methods}
    times = list[tuple[float, str, Callable[[int], Any]]]()
    texts = [*Adversary(pattern).texts()]
    for text in random.Random(0).sample(texts, min(len(texts), MAX_TEXTS)):
        for method in kinds:
            taken, size = 0.0, 0
            for longer in SIZES:
                before, taken, shorter, size = taken, seconds(pattern, method, text(longer)), size, longer
                if taken > MEASURABLE:
                    break
            if taken > max(SUSPECT, 6 * before):  # most are not as slow a second time
                before, again = (min(seconds(pattern, method, text(n)) for _ in range(2)) for n in (shorter, size))
                if again > max(SUSPECT, 6 * before) and is_slow(pattern, method, text):
                    return f"{method} {text(12)!r}"
            times.append((taken, method, text))
    times.sort(key=lambda entry: -entry[0])
    slow = (f"{method} {text(12)!r}" for _, method, text in times[:3] if is_slow(pattern, method, text))
    return next(slow, None)


def patterns_in(value: object, depth: int = 3) -> Iterator[Pattern]:
    """The patterns of a value of a module, also in its classes and containers."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        for inner in [*value, *value.values()]:
            yield from patterns_in(inner, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from patterns_in(inner, depth - 1)
    elif depth and isinstance(value, type):
        for inner in list(vars(value).values()):
            yield from patterns_in(inner, depth - 1)


def method_of(node: ast.AST) -> str | None:
    """The method of a call such as re.sub(…)."""
    if isinstance(node, ast.Call) and isinstance(function := node.func, ast.Attribute):
        of_module = isinstance(function.value, ast.Name) and function.value.id == "re"
        return function.attr if of_module and function.attr in {*METHODS, "compile"} else None
    return None


@dataclass
class Uses:
    """What a module does with names: where it has them from, and the methods of patterns that it calls on them."""

    imported: set[tuple[str, str]] = field(default_factory=set)
    called: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    others: set[str] = field(default_factory=set)


@cache
def uses() -> dict[str, Uses]:
    """What each module does with names."""
    result = {module_of(path): Uses() for path in SOURCES}
    for path, tree in trees().items():
        of_module = result[module_of(path)]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                of_module.imported |= {(node.module or "", alias.name) for alias in node.names}
            elif isinstance(node, ast.Attribute) and node.attr in METHODS:
                owner = node.value.value if isinstance(node.value, ast.Subscript) else node.value
                on = getattr(owner, "attr", getattr(owner, "id", ""))
                of_module.called[on].add(node.attr)
                of_module.others |= {node.attr} if not on.isupper() and on != "re" else set()
            elif (method := method_of(node)) and isinstance(node, ast.Call):
                of_module.called[ast.unparse(node.args[0])].add(method)
    return result


def methods_on(name: str, module: str) -> set[str]:
    """The methods that are called on a name of a module, there or where it is imported; else on names of functions."""
    users = [used for user, used in uses().items() if user == module or (module, name) in used.imported]
    return {method for used in users for method in used.called.get(name, ())} or (
        {method for used in users for method in used.others} or METHODS
    )


def patterns_of_module(name: str) -> Iterator[tuple[str, Pattern]]:
    """The patterns that a module holds, and their names."""
    module = importlib.import_module(name)
    for key, value in vars(module).items():
        if not (isinstance(value, type) and value.__module__ != name):
            yield from ((key, pattern) for pattern in patterns_in(value))


def patterns_of_functions() -> Iterator[tuple[str, Pattern, set[str]]]:
    """The patterns of calls of functions such as re.sub, and those of BUILT."""
    for path, tree in trees().items():
        module = module_of(path)
        # These make what the module holds, perhaps in a comprehension.
        at_import = {
            node for part in tree.body if isinstance(part, ast.Assign | ast.AnnAssign) for node in ast.walk(part)
        }
        for node in ast.walk(tree):
            if module in OWN_FILES or not (method := method_of(node)):
                continue
            assert isinstance(node, ast.Call)
            flags = next((each.value for each in node.keywords if each.arg == "flags"), None)
            if method == "compile":
                flags = node.args[1] if len(node.args) > 1 else flags
            names = dict(vars(importlib.import_module(module)))
            try:
                pattern, flag = (eval(ast.unparse(each), names) if each else 0 for each in (node.args[0], flags))
            except NameError:
                assert module in BUILT or node in at_import, f"{module}:{node.lineno} belongs into BUILT"
                continue
            if not isinstance(pattern, re.Pattern):
                yield f"{module}:{node.lineno}", re.compile(pattern, flag), METHODS if method == "compile" else {method}
    for module, patterns in BUILT.items():
        yield from ((module, pattern, {method}) for pattern, method in patterns)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_patterns_of_modules_are_linear(module: str) -> None:
    slow = {
        name: text
        for name, pattern in patterns_of_module(module)
        if (text := slow_text(pattern, methods_on(name, module))) is not None
    }
    assert slow == {}


@pytest.mark.slow
def test_patterns_within_functions_are_linear() -> None:
    in_modules = {pattern for module in MODULES for _, pattern in patterns_of_module(module)}
    slow = {
        place: text
        for place, pattern, methods in patterns_of_functions()
        if pattern not in in_modules and (text := slow_text(pattern, methods)) is not None
    }
    assert slow == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [r"[^A-Za-z]*[0-9][^A-Za-z]*(?:e[0-9]+)?", r"\W*(?:na)?\W*", r"(a+)+b", r"\s+$", r"<svg.*?>", r"\}\s*\n\s*\{"],
)
def test_slow_patterns_are_found(pattern: str) -> None:
    assert slow_text(re.compile(pattern), {"fullmatch", "search"}) is not None
