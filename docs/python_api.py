"""The text of docs/python-api.md: the functions of nncli from their signatures and docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import nncli

INTRODUCTION = """# Python API

Generated from the code by `python docs/build.py`; a test checks that it is current. [Python and
scikit-learn](python.md) is the guide to it.

A *table* is a path, a URL, a `TableSource` or, where `Frame` is accepted, a frame of Polars or pandas. Every error is a
`NncliError`; its [subclasses](errors.md) are in `nncli.base.errors`.

"""


def python_api() -> str:
    """The text of docs/python-api.md."""
    functions = {name: getattr(nncli, name) for name in nncli.__all__ if inspect.isfunction(getattr(nncli, name))}
    parts = [INTRODUCTION]
    parts += [f"- [{name}](#{name}): {_summary(function)}\n" for name, function in functions.items()]
    results: dict[str, type] = {}
    for name, function in functions.items():
        parts += _function(name, function)
        for kind in _classes(_hints(function).get("return")):
            results.setdefault(kind.__name__, kind)
    parts.append("\n## Results\n\nWhat the functions return: frozen classes with these attributes.\n")
    for name in sorted(results):
        parts += _result(name, results[name])
    return "".join(parts)


def _function(name: str, function: Any) -> Iterator[str]:
    signature = inspect.signature(function)
    hints = _hints(function)
    positional = [item for item in signature.parameters.values() if item.kind != item.KEYWORD_ONLY]
    keywords = [item for item in signature.parameters.values() if item.kind == item.KEYWORD_ONLY]
    words = [_written(argument, hints) for argument in positional]
    returned = hints.get("return")
    yield f"\n## {name}\n\n"
    yield f"    {name}({', '.join([*words, *(['*', '…'] if keywords else [])])}) -> {_type(returned)}\n\n"
    prose, options, raises = _parsed(function.__doc__ or "")
    yield f"{prose}\n"
    if keywords:
        yield "\n| option | type | default | meaning |\n|---|---|---|---|\n"
        for keyword in keywords:
            kind = _type(hints.get(keyword.name, keyword.annotation)).replace("|", "\\|")
            meaning = options.get(keyword.name, "").replace(" Repeatable.", "")
            yield f"| `{keyword.name}` | `{kind}` | {_default(keyword.default)} | {meaning} |\n"
    if raises:
        yield "\nRaises:\n\n"
        yield from (f"- `{error}`: {why}\n" for error, why in raises)


def _parsed(docstring: str) -> tuple[str, dict[str, str], list[tuple[str, str]]]:
    """The prose of a docstring, what it says of each option or argument, and the errors."""
    sections = re.split(r"\n*^(Raises|Options|Args|Returns):\n", inspect.cleandoc(docstring), flags=re.MULTILINE)
    items = {title: _items(text) for title, text in zip(sections[1::2], sections[2::2], strict=True)}
    return (
        sections[0].strip(),
        {**dict(items.get("Options", ())), **dict(items.get("Args", ()))},
        items.get("Raises", []),
    )


def _items(text: str) -> list[tuple[str, str]]:
    """`name: words` in lines, which may go on in deeper ones."""
    lines = re.sub(r"\n {5,}", " ", text.rstrip()).splitlines()
    return [
        (name.strip(), words.strip().replace("|", "\\|")) for name, _, words in (line.partition(": ") for line in lines)
    ]


def _result(name: str, kind: type) -> Iterator[str]:
    """A class that a function returns: what it says of itself, its attributes, and the methods of a model."""
    prose, _, _ = _parsed(kind.__doc__ or "")
    hints = _hints(kind)
    named = [field.name for field in fields(kind)] if is_dataclass(kind) else list(getattr(kind, "model_fields", ()))
    lines = [f"{field}: {_type(hints.get(field))}" for field in named if not field.startswith("_")]
    public = {key: value for key, value in vars(kind).items() if not key.startswith("_")}
    for attribute, value in public.items():
        if isinstance(value, property):
            lines += [f"{attribute}: {_type(_hints(value.fget).get('return'))}  # {_summary(value.fget)}"]
    yield f"\n### {name}\n\n{prose}\n\n```text\n" + "\n".join(lines) + "\n```\n"
    for attribute in ("predict", "evaluate"):
        if attribute in public:
            yield f"\n`{attribute}` takes the table and the options of [nncli.{attribute}](#{attribute}).\n"


def _summary(function: Any) -> str:
    paragraph = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


def _hints(value: Any) -> dict[str, Any]:
    """The types of a function or class, also those that its module imports for type checkers alone."""
    module = sys.modules[value.__module__]
    names = dict(vars(module))
    tree = ast.parse(inspect.getsource(module))
    imports = [
        (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    for home, name in imports:  # a name that is itself only for type checkers stands for itself
        names[name] = getattr(importlib.import_module(home or ""), name, type(name, (), {}))
    return get_type_hints(value, localns=names)


def _classes(annotation: Any) -> Iterator[type]:
    """The classes of nncli in an annotation."""
    if isinstance(annotation, str):
        return
    for part in get_args(annotation) or (annotation,):
        if isinstance(part, type) and part.__module__.startswith("nncli"):
            yield part


def _written(parameter: inspect.Parameter, hints: dict[str, Any]) -> str:
    stars = "*" if parameter.kind == parameter.VAR_POSITIONAL else ""
    kind = _type(hints.get(parameter.name, parameter.annotation))
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{stars}{parameter.name}: {kind}{default}"


def _type(annotation: Any) -> str:
    """An annotation as one would write it, without modules."""
    if isinstance(annotation, str):
        return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", annotation)
    if annotation in (None, NoneType):
        return "None"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(map(_type, parts)))
    if origin is Literal:
        return " | ".join(map(repr, parts))
    if annotation is Any or annotation is Ellipsis:
        return "Any" if annotation is Any else "..."
    if isinstance(annotation, list):
        return f"[{', '.join(map(_type, annotation))}]"
    name = getattr(origin or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(_type, parts))}]" if parts else name


def _default(value: Any) -> str:
    return "–" if callable(value) or value is None else f"`{value!r}`"
