"""The JSON Schema file is current, and editors find it without a network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nncli.config.json_schema import json_schema
from nncli.config.schema_file import SCHEMA, editor_line, resolve
from nncli.config.yaml.parser import parse
from tests.cli.support import ROOT


def test_the_shipped_schema_and_that_of_the_documentation_are_current() -> None:
    assert SCHEMA.read_text("utf-8") == json_schema() == (ROOT / "docs" / "config.schema.json").read_text("utf-8")


def test_the_editor_line_is_a_comment_with_the_address_of_the_file() -> None:
    comment, _, uri = editor_line().partition("$schema=")
    assert comment == "# yaml-language-server: "
    assert Path(url2pathname(urlsplit(uri).path)).read_bytes() == SCHEMA.read_bytes()
    assert parse(f"{editor_line()}\na: 1", "c.yaml").value == {"a": 1}


def test_a_reference_leads_to_its_part_of_the_schema() -> None:
    schema = {"$defs": {"A": {"properties": {"b": {"type": "integer"}}}}}
    assert resolve(schema, "#/$defs/A/properties/b") == {"type": "integer"}
