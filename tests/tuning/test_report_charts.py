"""Charts of a search, by what their tables and descriptions say, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.config.yaml.document import SourceSpan
from nncli.tuning.report import ScoredTrial, history, number_of_best, parallel_coordinates, slice_chart
from nncli.tuning.space.space import ChoiceDomain, Domain, NumberDomain, Parameter

RATE = NumberDomain(1e-4, 1e-1, None, is_log=True, is_int=False)
UNITS = NumberDomain(8, 64, 8, is_log=False, is_int=True)
LAYERS = ChoiceDomain(([8], [8, 8]), ("[8]", "[8, 8] <wide>"))


def parameter(name: str, domain: Domain) -> Parameter:
    return Parameter(name, (name,), domain, SourceSpan("search.yaml"))


PARAMETERS = (parameter("learning_rate", RATE), parameter("units", UNITS), parameter("layers", LAYERS))


def trials(n: int = 12) -> list[ScoredTrial]:
    """Trials of which every third has no units, and every fourth was pruned."""
    all_trials = []
    for i in range(n):
        values = {"learning_rate": 1e-4 * 10.0 ** (3 * i / n), "units": 8.0 + 8 * (i % 8), "layers": float(i % 2)}
        if i % 3 == 0:
            del values["units"]
        labels = {name: str(value) for name, value in values.items()}
        all_trials.append(ScoredTrial(i, 1.0 + abs(i - 5), i % 4 == 3, values, labels))
    return all_trials


@pytest.mark.slow
def test_the_history_has_a_row_for_each_trial() -> None:
    all_trials = trials()
    figure = history("rmse", all_trials, np.minimum.accumulate([trial.score for trial in all_trials]).tolist())
    assert len(figure.table.rows) == 12
    assert figure.table.rows[5] == ("5", "complete", "1", "1")
    assert figure.table.rows[7] == ("7", "pruned", "3", "1")
    assert "best so far" in figure.svg
    assert figure == history("rmse", all_trials, np.minimum.accumulate([trial.score for trial in all_trials]).tolist())


def test_of_many_trials_some_are_listed() -> None:
    all_trials = trials(500)
    figure = history("rmse", all_trials, [1.0] * 500)
    assert len(figure.table.rows) == 60
    assert "500" in figure.table.note


def test_a_slice_of_a_range_lists_values_in_order() -> None:
    figure = slice_chart("rmse", PARAMETERS[0], trials(), best=5)
    assert figure is not None
    assert [row[1] for row in figure.table.rows] == [str(i) for i in range(12)]
    assert "logarithmic" in figure.description
    assert "0.001" in figure.svg


def test_a_slice_of_choices_counts_each() -> None:
    figure = slice_chart("rmse", PARAMETERS[2], trials(), best=5)
    assert figure is not None
    assert [row[:2] for row in figure.table.rows] == [("[8]", "6"), ("[8, 8] <wide>", "6")]
    assert figure.table.rows[1][2] == "1"
    assert "&lt;wide&gt;" in figure.svg


def test_a_slice_is_of_the_trials_that_have_the_parameter() -> None:
    figure = slice_chart("rmse", PARAMETERS[1], trials(), best=5)
    assert figure is not None
    assert len(figure.table.rows) == 8
    assert "8 of 12 trials" in figure.description
    assert slice_chart("rmse", parameter("other", UNITS), trials(), best=5) is None


def test_a_choice_that_no_trial_had_has_no_scores() -> None:
    figure = slice_chart("rmse", PARAMETERS[2], [trials()[0]], best=0)
    assert figure is not None
    assert figure.table.rows[1] == ("[8, 8] <wide>", "0", "–", "–", "–")


def test_parallel_coordinates_list_the_best_trials(tmp_path: Path) -> None:
    figure = parallel_coordinates("rmse", PARAMETERS, trials(), [5, 4, 6])
    assert figure.wide
    assert [row[0] for row in figure.table.rows] == ["5", "4", "6"]
    assert figure.table.rows[2][3] == "–"  # no units
    assert figure.table.columns == ("trial", "rmse", "learning_rate", "units", "layers")
    assert "best trial" in figure.svg


@pytest.mark.slow
def test_equal_scores_and_scores_of_other_signs_can_be_drawn() -> None:
    equal = [ScoredTrial(i, -1.0, False, {"units": 8.0}, {"units": "8"}) for i in range(3)]
    assert parallel_coordinates("r2", PARAMETERS[1:2], equal, [0]).svg
    assert history("r2", equal, [-1.0] * 3).svg
    wide = [ScoredTrial(i, 10.0**i, False, {"units": 8.0}, {"units": "8"}) for i in range(9)]
    assert parallel_coordinates("rmse", PARAMETERS[1:2], wide, [0]).svg
    assert history("rmse", wide, [1.0] * 9).svg


def test_the_best_trials_are_a_tenth_and_at_least_three() -> None:
    assert [number_of_best(n) for n in (2, 10, 100)] == [2, 3, 10]
