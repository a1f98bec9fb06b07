"""Scores with bootstrap intervals and the improvement over the baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.data.table import Table


@pytest.mark.slow
def test_every_score_but_the_calibration_error_is_inside_its_interval(penguins: Path, pair: Path) -> None:
    for run, count in ((penguins, 7), (pair, 10)):
        held_out = predict_held_out(run)
        result = held_out.scores_with_intervals()
        assert len(result.scores) == count
        for score in result.scores:
            assert score.value is not None
            if score.name == "calibration_error":  # that of resamples lies above it
                assert (score.interval, score.baseline, score.improvement) == (None, None, None)
                continue
            assert score.interval is not None
            assert score.interval.low <= score.value + 1e-12
            assert score.interval.high >= score.value - 1e-12
        assert held_out.scores_with_intervals().scores == result.scores
    assert {score.target for score in result.scores} == {"x2", "y"}


@pytest.mark.slow
def test_the_improvement_is_positive_where_the_model_is_better(penguins: Path) -> None:
    result = predict_held_out(penguins).scores_with_intervals()
    for name in ("accuracy", "log_loss"):
        improvement = result.find(name).improvement
        assert improvement is not None
        assert improvement.low > 0


def test_groups_are_numbered_by_the_cells_of_their_column(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    assert held_out.scored_rows.groups is None
    config = held_out.config.model_copy(update={"data": held_out.config.data.model_copy(update={"group": "g"})})
    table = Table(pl.DataFrame({"g": [i // 2 for i in range(len(held_out))]}), "t")
    groups = replace(held_out, config=config, table=table).scored_rows.groups
    assert groups is not None
    assert len(np.unique(groups)) == (len(held_out) + 1) // 2
    assert replace(held_out, config=config, table=table).scores_with_intervals().resampling.groups == len(
        np.unique(groups)
    )


def test_a_score_is_found_by_its_name(penguins: Path) -> None:
    scores = predict_held_out(penguins).scores_with_intervals()
    assert scores.find("accuracy").name == "accuracy"
    with pytest.raises(StopIteration):
        scores.find("rmse")
