"""Generate the JSON Schema of a configuration, for editors and other tools.

Rules that involve several keys are not part of it: what the schema refuses is wrong, but not everything that it accepts
is valid.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from nncli.base.spec import non_defaults
from nncli.config.schema.tune import SEARCHABLE_DATA, UNSEARCHABLE, ConfigFile
from nncli.config.schema_file import JsonNode, resolve


class _SchemaGenerator(GenerateJsonSchema):
    """pydantic's schema without titles that repeat the key, and with defaults in their short form."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        return super().encode_default(non_defaults(dft))

    def tagged_union_schema(self, schema: Any) -> dict[str, Any]:
        described = super().tagged_union_schema(schema)
        described.pop("discriminator", None)  # part of OpenAPI, not of JSON Schema
        return described

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> dict[str, Any]:
        whole = super().generate(schema, mode)
        _add_searchable_keys(whole)
        header = {"$schema": self.schema_dialect, "$id": "urn:nncli:config", "title": "nncli configuration"}
        return {**header, **{key: value for key, value in whole.items() if key not in header}}


def _add_searchable_keys(whole: JsonNode) -> None:
    """Describe the keys of `tune.search`: those of the configuration, and those inside its sections.

    Choices have the schema of the key, so that editors complete them; as a key inside a choice may have a search space
    of its own, anything else is allowed too.
    """
    search = whole["$defs"]["TuneSection"]["properties"]["search"]
    keys: dict[str, JsonNode] = {}
    for key, schema in whole["properties"].items():
        if key not in UNSEARCHABLE:
            keys[key] = _domain(f"#/properties/{key}", schema)
        inside = dict(_keys_inside(whole, schema))
        for name, reference in inside.items():
            if key not in UNSEARCHABLE or (key == "data" and name in SEARCHABLE_DATA):
                separator = ".*." if schema.get("type") == "array" else "."
                keys[f"{key}{separator}{name}"] = _domain(reference, resolve(whole, reference))
    search["properties"] = keys


def _keys_inside(whole: JsonNode, schema: JsonNode, reference: str = "") -> Iterator[tuple[str, str]]:
    """The keys inside a section, or an item of a list, in any of its forms, with references to their schemas."""
    if "$ref" in schema:
        yield from _keys_inside(whole, resolve(whole, schema["$ref"]), schema["$ref"])
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *filter(None, [schema.get("items")])):
        yield from _keys_inside(whole, form)
    if reference:
        yield from ((name, f"{reference}/properties/{name}") for name in schema.get("properties", {}) if name != "type")


def _domain(reference: str, schema: JsonNode) -> JsonNode:
    """The schema of what a key is chosen from."""
    choices = {"type": "array", "minItems": 1, "items": {"anyOf": [{"$ref": reference}, {}]}}
    among = {"type": "object", "properties": {"choices": choices}, "required": ["choices"]}
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, "anyOf": [{"$ref": "#/$defs/Range"}, {**among, "additionalProperties": False}]}


def json_schema() -> str:
    """The JSON Schema (2020-12) of a configuration file."""
    return (
        json.dumps(ConfigFile.model_json_schema(schema_generator=_SchemaGenerator), indent=2, ensure_ascii=False) + "\n"
    )
