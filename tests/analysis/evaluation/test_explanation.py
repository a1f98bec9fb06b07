"""Importance and partial dependence of a sample of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli import train
from nncli.analysis.evaluation import explanation as module
from nncli.analysis.evaluation.explanation import RowsToExplain, affordable_rows, background_rows, explain_rows
from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.inspection.permutation_importance import Scorer
from tests.cli.support import DATA


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> HeldOutPredictions:
    """The out-of-fold rows of an ensemble that monitors the ROC AUC."""
    folder = tmp_path_factory.mktemp("ensemble")
    (folder / "c.yaml").write_text(
        f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 2\nmembers: 2\nworkers: 1\n"
        "metric: roc_auc\n"
    )
    return predict_held_out(train(folder / "c.yaml", output=folder / "run").run)


@pytest.mark.slow
def test_own_rows_are_explained_by_the_members_that_did_not_train_on_them(
    held_out: HeldOutPredictions,
) -> None:
    result = explain_rows(held_out.model, held_out.config, RowsToExplain.of(held_out), top=2)
    assert result.prediction_of == "out-of-fold"
    assert result.metric == "roc_auc"
    assert result.score == Scorer(held_out.model, held_out.y, "roc_auc").score(result.encoded.predict())
    assert [curve.column for curve in result.partial_dependence] == [item.column for item in result.importances or ()][
        :2
    ]
    table = replace(held_out.table, selected_rows=None)
    other = explain_rows(held_out.model, held_out.config, RowsToExplain(table), top=0)
    assert other.prediction_of == "model"
    assert other.importances != result.importances


@pytest.mark.slow
def test_the_same_rows_are_sampled_each_time(held_out: HeldOutPredictions) -> None:
    rows = RowsToExplain.of(held_out)
    first, other = (
        explain_rows(held_out.model, held_out.config, rows, size=50, permutations=1, top=0) for _ in range(2)
    )
    assert len(first.table) == 50
    assert first.table.row_numbers.tolist() == other.table.row_numbers.tolist()
    assert first.importances == other.importances


@pytest.mark.slow
def test_unlabeled_rows_have_partial_dependence_only(held_out: HeldOutPredictions) -> None:
    table = replace(held_out.table, frame=held_out.table.frame.drop("species"))
    result = explain_rows(held_out.model, held_out.config, RowsToExplain(table), size=20, top=1)
    assert (result.loss, result.score, result.importances, len(result.labeled)) == (None, None, None, 0)
    assert len(result.partial_dependence) == 1


def test_a_larger_model_affords_fewer_rows(held_out: HeldOutPredictions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MULTIPLICATIONS", 1e6)
    all_members, one_member = affordable_rows(held_out.model, None), affordable_rows(held_out.model, held_out.oof_mask)
    assert 2 * all_members <= one_member <= 2 * all_members + 1
    monkeypatch.setattr(module, "MULTIPLICATIONS", 1e12)
    assert affordable_rows(held_out.model, None) == module.MAX_ROWS


def test_the_average_row_is_that_of_the_training_table_if_it_is_there(held_out: HeldOutPredictions) -> None:
    result = explain_rows(held_out.model, held_out.config, RowsToExplain.of(held_out), size=20, permutations=1, top=0)
    arguments = held_out.config, held_out.manifest, held_out.model, result.encoded
    rows, note = background_rows(*arguments)
    assert (len(rows), note) == (344, None)
    data = held_out.config.data.model_copy(update={"path": "/nowhere.csv"})
    config = held_out.config.model_copy(update={"data": data})
    rows, note = background_rows(config, *arguments[1:])
    assert (len(rows), rows.oof_mask) == (20, None)
    assert note
    np.testing.assert_array_equal(rows.parts[0].X, result.encoded.parts[0].X)
