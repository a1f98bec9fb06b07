"""The JSON Schema of a configuration: what may be written, for editors and other tools.

It is made from the specifications alone. A rule that concerns two keys at once stands only there: what the schema
refuses is wrong, what it lets pass may still be.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from nncli.config.schema import Config
from nncli.spec import non_defaults


class _Written(GenerateJsonSchema):
    """pydantic's schema, less titles that repeat the key, with defaults as short as one would write them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        return super().encode_default(non_defaults(dft))

    def tagged_union_schema(self, schema: Any) -> dict[str, Any]:
        described = super().tagged_union_schema(schema)
        described.pop("discriminator", None)  # OpenAPI's word, which JSON Schema does not have
        return described

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> dict[str, Any]:
        whole = super().generate(schema, mode)
        head = {"$schema": self.schema_dialect, "$id": "urn:nncli:config", "title": "nncli configuration"}
        return {**head, **{key: value for key, value in whole.items() if key not in head}}


def json_schema() -> str:
    """The schema of a configuration file, as JSON Schema of 2020-12."""
    return json.dumps(Config.model_json_schema(schema_generator=_Written), indent=2, ensure_ascii=False) + "\n"
