"""Generate the JSON Schema of a configuration, for editors and other tools.

Rules that involve several keys are not part of it: what the schema refuses is wrong, but not everything that it accepts
is valid.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from nncli.config.schema import ConfigFile
from nncli.spec import non_defaults


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
        header = {"$schema": self.schema_dialect, "$id": "urn:nncli:config", "title": "nncli configuration"}
        return {**header, **{key: value for key, value in whole.items() if key not in header}}


def json_schema() -> str:
    """The JSON Schema (2020-12) of a configuration file."""
    return (
        json.dumps(ConfigFile.model_json_schema(schema_generator=_SchemaGenerator), indent=2, ensure_ascii=False) + "\n"
    )
