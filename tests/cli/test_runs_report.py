"""`nncli report` on the command line."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.report.support import hostile_run
from tests.cli.support import Cli

REPORT = ("nncli.analysis.report", "nncli.api.report", "nncli.tuning.report")
"""The modules that import what the extra report installs."""


def test_the_path_is_all_that_stdout_holds(nncli: Cli, penguins: Path, tmp_path: Path) -> None:
    done = nncli("report", penguins, "-o", tmp_path / "r.html").check()
    assert done.out == f"{tmp_path / 'r.html'}\n"
    assert done.err.startswith("next: ")
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "r.md").exists()


def test_the_json_says_what_the_page_does(nncli: Cli, penguins: Path, tmp_path: Path) -> None:
    done = nncli("report", penguins, "-o", tmp_path / "r.html", "--json").check()
    assert done.out.count("\n") == 1
    result = json.loads(done.out)
    assert (result["html"], result["card"]) == (str(tmp_path / "r.html"), str(tmp_path / "r.md"))
    page = html.unescape((tmp_path / "r.html").read_text("utf-8"))
    assert all(verdict["text"] in page for verdict in result["verdicts"])
    scores = {item["metric"]: item for item in result["scores"]}
    recorded = json.loads((penguins / "metrics.json").read_text())["validation"]
    assert scores["log_loss"]["value"] == pytest.approx(recorded["metrics"]["log_loss"])
    assert scores["log_loss"]["low"] < scores["log_loss"]["value"] < scores["log_loss"]["high"]
    assert scores["log_loss"]["improvement"]["low"] > 0
    assert scores["calibration_error"]["improvement"] is None
    assert result["rows_scored"] == recorded["rows"]
    assert len(result["feature_importance"]) == 6
    assert [item["title"] for item in result["sections"]] == re.findall("<h2[^>]*>([^<]*)</h2>", page)
    cells = [text for item in result["sections"] for text in texts(item["parts"])]
    assert len(cells) > 200
    shown = [text for text in cells if not text.startswith("average row ")]  # contributions, which are bars in the page
    assert [text for text in shown if text not in page] == []
    assert "<svg" not in done.out


def texts(parts: list[dict[str, Any]]) -> list[str]:
    """All that the parts of a section say."""
    result = []
    for part in parts:
        if part["kind"] == "table":
            result += [part["caption"], part["note"], *part["columns"], *(cell for row in part["rows"] for cell in row)]
        elif part["kind"] == "figure":
            result += [part["title"], part["description"], *texts([part["table"]])]
        elif part["kind"] == "gallery":
            result += texts(part["figures"])
        elif part["kind"] == "facts":
            result += [text for pair in part["pairs"] for text in pair]
        else:
            result += part.get("items", [part.get("text", "")])
    return result


def test_the_json_of_a_run_whose_table_is_gone_says_what_is_known(nncli: Cli, tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (tmp_path / "t.csv").unlink()
    result = json.loads(nncli("report", run, "--json", "-q").check().out)
    assert (result["scored_on"], result["rows_scored"], result["scores"], result["feature_importance"]) == (
        None,
        0,
        [],
        [],
    )
    assert any("nncli evaluate RUN" in item["text"] for item in result["notices"])


def test_a_file_in_the_way_is_an_error_unless_forced(nncli: Cli, penguins: Path, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    assert "exists already" in nncli("report", penguins, "-o", tmp_path / "r.html").check(2).err
    assert nncli("report", penguins, "-o", tmp_path / "r.html", "--force", "-q").check().err == ""


def test_no_run_is_an_error(nncli: Cli, here: Path) -> None:
    assert "no such run directory" in nncli("report", "nowhere").check(5).err


def test_what_is_not_installed_is_named(
    nncli: Cli, penguins: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.startswith(REPORT)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = nncli("report", penguins, "-o", tmp_path / "r.html").check(1)
    assert "pip install 'nncli-train[report]'" in done.err
