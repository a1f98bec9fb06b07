"""The report of a search of hyperparameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.analysis.report.page import Page, TableBlock
from nncli.api.report import report
from nncli.tuning.gain import Gain
from nncli.tuning.report import search_page
from nncli.tuning.summary import read_search
from nncli.tuning.trials import Trial
from tests.analysis.report.support import parsed
from tests.tuning.made_searches import GAIN, made_search, made_trials


def page_of(path: Path) -> Page:
    return search_page(read_search(path))


def names_of(page: Page) -> list[str]:
    return [section.name for section in page.sections]


@pytest.mark.slow
def test_a_search_has_a_report_of_its_trials(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials())
    files = report(path)
    assert (files.html, files.card) == (path / "report.html", path / "report.md")
    page = parsed(files)
    for words in ("Gain", "Parameter importance", "RMSE by learning_rate", "Parallel coordinates", "nncli train"):
        assert words in page.text
    assert "<b>diverged</b>" in page.text  # as text, not as HTML
    assert files.json()["kind"] == "search"
    before = files.html.read_bytes()
    assert report(path) == files  # an earlier report is replaced
    assert files.html.read_bytes() == before


@pytest.mark.slow
def test_the_page_has_a_section_for_each_question(tmp_path: Path) -> None:
    page = page_of(made_search(tmp_path, made_trials()))
    assert names_of(page) == [
        "gain",
        "importance",
        "slices",
        "parallel-coordinates",
        "trials",
        "best-configuration",
        "model",
    ]
    assert page.picture is not None
    assert [tile.label for tile in page.tiles] == ["Best RMSE", "Trial 0", "Gain", "Trials", "Saved by pruning"]
    assert page.tiles[2].remark == "95 % interval 0.1 to 0.7"
    assert page.notices == ()
    assert [verdict.is_clear for verdict in page.verdicts] == [True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gain", "is_clear"),
    [(GAIN.model_copy(update={"p": 0.4}), False), (GAIN.model_copy(update={"trial": 0, "p": None}), False)],
)
def test_a_gain_that_may_be_chance_is_no_clear_verdict(tmp_path: Path, gain: Gain, is_clear: bool) -> None:
    page = page_of(made_search(tmp_path, made_trials(), gain=gain))
    assert [verdict.is_clear for verdict in page.verdicts] == [is_clear]


@pytest.mark.slow
def test_a_search_that_is_not_finished_says_how_to_resume(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials(), ended=False)
    page = page_of(path)
    assert [notice.level for notice in page.notices] == ["warning"]
    assert f"nncli tune --resume {path}" in page.notices[0].text
    assert page.verdicts == ()
    assert not {"gain", "importance"} & set(names_of(page))
    assert {"slices", "trials"} <= set(names_of(page))


@pytest.mark.slow
def test_a_time_limit_that_ended_the_search_is_a_note(tmp_path: Path) -> None:
    page = page_of(made_search(tmp_path, made_trials(), timed_out=True))
    assert [notice.level for notice in page.notices] == ["note"]


def test_a_search_without_a_finished_trial_has_a_page(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials()[:1], ended=False)
    (path / "trials/0000.json").unlink()
    assert names_of(page_of(path)) == ["best-configuration", "model"]


@pytest.mark.slow
def test_too_few_trials_have_no_importance(tmp_path: Path) -> None:
    page = page_of(made_search(tmp_path, made_trials()[:5]))
    (section,) = (section for section in page.sections if section.name == "importance")
    assert [part.kind for part in section.parts] == ["notice"]


@pytest.mark.slow
def test_the_best_trials_are_listed_first_and_of_many_only_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tuning.report.MAX_LISTED", 6)
    path = made_search(tmp_path, [*made_trials(), Trial(number=20, values={})])
    (section,) = (section for section in page_of(path).sections if section.name == "trials")
    (table,) = section.parts
    assert isinstance(table, TableBlock)
    best = read_search(path).best
    assert best is not None
    assert table.cells[0][0].text == str(best.number)
    assert len(table.rows) == 6
    assert "trials.csv" in table.note
