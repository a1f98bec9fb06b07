"""Findings: errors come first, appear once, and keep their location and their hint."""

from __future__ import annotations

import json

from nncli.base.errors import ConfigError, ConfigIssue, DataError, Location
from nncli.base.findings import Finding, FindingCode, of_error, ordered
from tests.cli.support import ROOT

WARNING = Finding(
    "warning", FindingCode.CONSTANT_COLUMN, Location(source="t.csv", column="x"), "one value alone", "Drop it."
)
NOTE = Finding("note", FindingCode.TABLE_READING, Location(), "something", "")


def test_findings_are_sorted_by_level_and_unique() -> None:
    (error,) = of_error(DataError("not a number", location=Location(source="t.csv", row=3), hint="Correct it."))
    assert ordered([NOTE, WARNING, error, WARNING]) == (error, WARNING, NOTE)


def test_every_issue_of_a_configuration_is_a_finding_with_its_line() -> None:
    first = ConfigIssue("unknown key 'a'", Location("c.yaml", 1, 1), "Remove it.", "a: 1\n^")
    second = ConfigIssue("missing key 'b'", Location("c.yaml", 2, 1))
    result = of_error(ConfigError(first, second))
    assert [finding.exit_code for finding in result] == [3, 3]
    assert str(result[0]) == "error: c.yaml:1:1: unknown key 'a'\n    a: 1\n    ^\n  Remove it."
    assert result[1].hint == ""


def test_the_exit_code_is_4_for_a_data_error_and_0_without_errors() -> None:
    (error,) = of_error(DataError("no rows"))
    assert (error.exit_code, WARNING.exit_code, NOTE.exit_code) == (4, 0, 0)


def test_the_json_holds_the_known_parts_of_the_location() -> None:
    document = json.loads(json.dumps(WARNING.as_json))
    assert document == {
        "level": "warning",
        "code": "constant-column",
        "location": {"source": "t.csv", "column": "x"},
        "message": "one value alone",
        "hint": "Drop it.",
    }


def test_every_code_is_used_documented_and_described() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "nncli").rglob("*.py"))
    documented = (ROOT / "docs" / "commands.md").read_text("utf-8")
    for code in FindingCode:
        assert f"FindingCode.{code.name}" in source, code
        assert f"- `{code}`: {code.description}\n" in documented
