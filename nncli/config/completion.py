"""Complete a `key=value` on the command line from the JSON Schema file, without importing pydantic."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nncli.config.schema_file import SCHEMA, Node, resolve


def complete_assignment(text: str) -> list[str]:
    """The completions of `text`: `optimizer=` and `optimizer.` for `opt`, `optimizer=adam` for `optimizer=`.

    If only one key fits, its values and the keys inside it are included.
    """
    schema: Node = json.loads(SCHEMA.read_bytes())
    address, equals, _ = text.partition("=")
    parent, _, start = address.rpartition(".")
    if equals:
        values = (f"{address}={value}" for value in _values(schema, _at(schema, address.split("."))))
        return list(dict.fromkeys(word for word in values if word.startswith(text)))
    nodes = _at(schema, parent.split(".") if parent else [])
    prefix = f"{parent}." if parent else ""
    names = [name for name in _keys(schema, nodes) if name.startswith(start)]
    completions = [f"{prefix}{name}=" for name in names if _has_inline_value(schema, _inside(schema, nodes, name))]
    completions += [f"{prefix}{name}." for name in names if f"{prefix}{name}=" not in completions]
    if len(names) == 1:
        inside = _inside(schema, nodes, names[0])
        completions += [f"{prefix}{names[0]}={value}" for value in _values(schema, inside)]
        completions += [f"{prefix}{names[0]}.{name}=" for name in _keys(schema, inside)]
    return list(dict.fromkeys(completions))


def _expanded(schema: Node, nodes: list[Node]) -> Iterator[Node]:
    """The nodes with those that they refer to and their alternatives."""
    for node in nodes:
        yield node
        if "$ref" in node:
            yield from _expanded(schema, [resolve(schema, node["$ref"])])
        yield from _expanded(schema, [*node.get("anyOf", ()), *node.get("oneOf", ())])


def _inside(schema: Node, nodes: list[Node], step: str) -> list[Node]:
    """The nodes of a key or an item of any of the nodes."""
    inside = []
    for node in _expanded(schema, nodes):
        if step.isdigit() and "items" in node:
            inside.append(node["items"])
        elif step in node.get("properties", {}):
            inside.append(node["properties"][step])
        elif isinstance(node.get("additionalProperties"), dict):
            inside.append(node["additionalProperties"])
    return inside


def _at(schema: Node, address: list[str]) -> list[Node]:
    nodes = [schema]
    for step in address:
        nodes = _inside(schema, nodes, step)
    return nodes


def _keys(schema: Node, nodes: list[Node]) -> list[str]:
    keys = (
        key
        for node in _expanded(schema, nodes)
        for key in (*node.get("properties", ()), *node.get("propertyNames", {}).get("enum", ()))
    )
    return list(dict.fromkeys(keys))


def _has_inline_value(schema: Node, nodes: list[Node]) -> bool:
    """Whether a value other than a section is valid."""
    return any("type" in node and node["type"] != "object" for node in _expanded(schema, nodes))


def _values(schema: Node, nodes: list[Node]) -> list[str]:
    """The valid words, and the default if it is a word or a number."""
    values: list[object] = []
    for node in _expanded(schema, nodes):
        values += node.get("enum", [])
        values += [node[word] for word in ("const", "default") if isinstance(node.get(word), str | int | float)]
        values += [True, False] if node.get("type") == "boolean" else [None] if node.get("type") == "null" else []
    return list(dict.fromkeys(json.dumps(value).strip('"') for value in values))
