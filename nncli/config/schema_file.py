"""The JSON Schema of a configuration as it comes with nncli: found by editors without a network, read in an instant."""

from __future__ import annotations

from pathlib import Path

SCHEMA = Path(__file__).with_name("config.schema.json")
"""Made from the specifications by docs/build.py."""


def editor_line() -> str:
    """A comment by which editors with the YAML language server complete and check the file that it stands in."""
    return f"# yaml-language-server: $schema={SCHEMA.as_uri()}"
