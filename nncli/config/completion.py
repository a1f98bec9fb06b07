"""What may stand in a `key=value`, as far as it is typed: read from the schema that ships, without pydantic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nncli.config.schema_file import SCHEMA

Node = dict[str, Any]


def complete_assignment(typed: str) -> list[str]:
    """How `typed` may go on: `optimizer=` and `optimizer.` after `opt`, `optimizer=adam` after `optimizer=`.

    Where one key is meant, its values and the keys within it are named too.
    """
    whole: Node = json.loads(SCHEMA.read_bytes())
    address, equals, _ = typed.partition("=")
    before, _, key = address.rpartition(".")
    here = _at(whole, before.split(".") if before else [])
    if equals:
        return _fitting(typed, (f"{address}={value}" for value in _values(whole, _at(whole, address.split(".")))))
    prefix = f"{before}." if before else ""
    names = [name for name in _keys(whole, here) if name.startswith(key)]
    shown = [f"{prefix}{name}=" for name in names if _written_inline(whole, _within(whole, here, name))]
    shown += [f"{prefix}{name}." for name in names if f"{prefix}{name}=" not in shown]
    if len(names) == 1:
        inside = _within(whole, here, names[0])
        shown += [f"{prefix}{names[0]}={value}" for value in _values(whole, inside)]
        shown += [f"{prefix}{names[0]}.{name}=" for name in _keys(whole, inside)]
    return list(dict.fromkeys(shown))


def _fitting(typed: str, words: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word.startswith(typed)))


def _flat(whole: Node, nodes: list[Node]) -> Iterator[Node]:
    """The nodes, with those that they refer to and those that they leave the choice of."""
    for node in nodes:
        yield node
        if "$ref" in node:
            yield from _flat(whole, [whole["$defs"][node["$ref"].removeprefix("#/$defs/")]])
        yield from _flat(whole, [*node.get("anyOf", ()), *node.get("oneOf", ())])


def _within(whole: Node, nodes: list[Node], step: str) -> list[Node]:
    """What may stand at a key or an item of any of the nodes."""
    found = []
    for node in _flat(whole, nodes):
        if step.isdigit() and "items" in node:
            found.append(node["items"])
        elif step in node.get("properties", {}):
            found.append(node["properties"][step])
        elif isinstance(node.get("additionalProperties"), dict):
            found.append(node["additionalProperties"])
    return found


def _at(whole: Node, address: list[str]) -> list[Node]:
    nodes = [whole]
    for step in address:
        nodes = _within(whole, nodes, step)
    return nodes


def _keys(whole: Node, nodes: list[Node]) -> list[str]:
    every = (key for node in _flat(whole, nodes) for key in (*node.get("properties", ()), *_named(node)))
    return list(dict.fromkeys(every))


def _named(node: Node) -> list[str]:
    return list(node.get("propertyNames", {}).get("enum", ()))


def _written_inline(whole: Node, nodes: list[Node]) -> bool:
    """Whether anything but key: value pairs may stand there."""
    return any("type" in node and node["type"] != "object" for node in _flat(whole, nodes))


def _values(whole: Node, nodes: list[Node]) -> list[str]:
    """The words that may stand there, and a default that is one word or number."""
    found: list[object] = []
    for node in _flat(whole, nodes):
        found += node.get("enum", [])
        found += [node[word] for word in ("const", "default") if isinstance(node.get(word), str | int | float)]
        found += [True, False] if node.get("type") == "boolean" else [None] if node.get("type") == "null" else []
    return list(dict.fromkeys(json.dumps(value).strip('"') for value in found))
