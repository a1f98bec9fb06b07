"""The page of a comparison."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from nncli import compare, train
from nncli.analysis.report.page import TableBlock, write_page
from nncli.analysis.report.pages import NO_PAIRS, comparison_page
from nncli.base.errors import UsageError
from tests.analysis.report.support import hostile_run
from tests.cli.support import DATA

SMALL = "layers: [4]\nepochs: 2\nbatch_size: 32\nworkers: 1\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks and an ensemble of one table, and a network of another, whose names are hostile."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "c.yaml").write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}\n{SMALL}")
    wanted = {"one": [], "two": ["epochs=3", "learning_rate=0.05"], "several": ["members=2"]}
    paths = [train(folder / "c.yaml", output=folder / name, set=more).run for name, more in wanted.items()]
    return [*paths, hostile_run(folder)]


@pytest.mark.slow
def test_the_page_has_the_results_of_the_comparison(runs: list[Path]) -> None:
    result = compare(runs)
    page = comparison_page(result)
    assert [section.name for section in page.sections] == ["pairwise", "scores", "settings", "learning-curves", "runs"]
    assert "two is significantly better than one and several" in page.summary
    pairwise, scores, settings, _, _ = page.sections
    (table,) = (part for part in pairwise.parts if isinstance(part, TableBlock))
    assert len(table.rows) == len(result.pairs) == 2
    (table,) = (part for part in scores.parts if isinstance(part, TableBlock))
    assert table.columns == ("metric", "one", "two", "several", "run")
    assert [row[0].text for row in table.cells[:3]] == ["rows", "predictions", "Accuracy"]
    assert table.rows[1][1:4] == ("validation", "validation", "out-of-fold")
    assert any(" *\n" in cell.text for cell in table.cells[2])
    assert not any(" *" in row[3].text for row in table.cells)  # no other run has the rows of the ensemble
    (table,) = (part for part in settings.parts if isinstance(part, TableBlock))
    assert {"epochs", "members", "learning_rate.peak"} <= {row[0] for row in table.rows}


@pytest.mark.slow
def test_the_file_is_complete_safe_and_reproducible(runs: list[Path], tmp_path: Path) -> None:
    result = compare(runs)
    write_page(comparison_page(result), tmp_path / "c.html")
    text = (tmp_path / "c.html").read_text("utf-8")
    assert not re.search(r"<script|<img|<iframe|https?://(?!www\.w3\.org)", text)
    assert len(re.findall(r'<svg role="img" aria-labelledby="[\w-]+" aria-describedby', text)) == 7
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    with pytest.raises(UsageError):
        write_page(comparison_page(result), tmp_path / "c.html")
    write_page(comparison_page(compare(runs)), tmp_path / "d.html")
    assert (tmp_path / "d.html").read_text("utf-8") == text


@pytest.mark.slow
def test_a_page_is_written_for_runs_without_their_table(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: species}}\n{SMALL}")
    table = tmp_path / "t.csv"
    table.write_bytes((DATA / "penguins.csv").read_bytes())
    paths = [train(tmp_path / "c.yaml", output=tmp_path / name).run for name in ("one", "two")]
    table.unlink()
    write_page(comparison_page(compare(paths)), tmp_path / "c.html")
    text = (tmp_path / "c.html").read_text("utf-8")
    assert NO_PAIRS in text
    for path in paths:
        (path / "manifest.json").write_text("{}")
    page = comparison_page(compare(paths))
    assert [section.name for section in page.sections] == ["pairwise", "settings", "runs"]


@pytest.mark.slow
def test_the_summary_says_which_differences_are_significant(runs: list[Path]) -> None:
    result = compare(runs[:2])
    best, other = (result.runs[run].name for run in (result.pairs[0].a, result.pairs[0].b))
    first = f"{best} has the lowest log loss of 2 runs. "
    assert comparison_page(result).summary == f"{first}{best} is significantly better than {other}."
    none = replace(result, pairs=tuple(replace(pair, adjusted_p=1.0) for pair in result.pairs))
    assert comparison_page(none).summary == f"{first}The difference from {other} is not significant."
    assert comparison_page(replace(result, pairs=())).summary == NO_PAIRS
