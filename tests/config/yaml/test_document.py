"""Every entry of a document has its location."""

from __future__ import annotations

from nncli.base.errors import Location
from nncli.config.yaml.document import dotted
from nncli.config.yaml.parser import parse


def test_every_entry_has_the_position_of_its_key_and_its_value() -> None:
    document = parse("optimizer:\n  type: adam\nlayers:\n  - type: dense\n    units: 8\n  - 64\n", "c")
    assert document.location(("optimizer", "type")) == Location("c", 2, 3, "optimizer.type")
    assert document.location(("optimizer", "type"), "value") == Location("c", 2, 9, "optimizer.type")
    assert document.location(("layers", 0)) == Location("c", 4, 5, "layers.0")
    assert document.location(("layers", 0, "units"), "value") == Location("c", 5, 12, "layers.0.units")
    assert document.location(("layers", 1)) == Location("c", 6, 5, "layers.1")


def test_a_path_that_is_not_written_has_the_location_of_its_ancestor() -> None:
    document = parse("a: 1\nmodel:\n  b: 2\n", "c")
    assert document.location(("model", "x", "y")) == Location("c", 2, 1, "model.x.y")
    assert document.location(("x",)) == Location("c", key="x")
    assert document.location(()) == Location("c")


def test_an_issue_shows_its_line() -> None:
    document = parse("model:\n  b: 2\n", "c")
    issue = document.issue("no", ("model", "b"), "value", "Try 3.")
    assert str(issue) == "c:2:6, model.b: no\n    b: 2\n       ^\n  Try 3."
    assert document.issue("no", ("x",)).excerpt is None


def test_a_path_is_written_with_dots() -> None:
    assert dotted(("layers", 0, "units")) == "layers.0.units"
    assert dotted(()) == ""


def test_a_location_escapes_the_key() -> None:
    assert str(parse("'a\u202eb': 1", "c").location(("a\u202eb",))) == r"c:1:1, a\u202eb"
