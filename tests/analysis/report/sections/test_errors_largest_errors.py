"""The rows with the largest errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli import predict, train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.report.page import TableBlock
from nncli.analysis.report.sections.errors import MAX_ROWS, largest_errors
from nncli.analysis.report.sections.feature_importance import compute_importance
from tests.analysis.report.support import full_rows
from tests.cli.support import DATA


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble, whose out-of-fold predictions are not those of the whole model."""
    folder = tmp_path_factory.mktemp("ensemble")
    (folder / "c.yaml").write_text(
        f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 3\nbatch_size: 16\nmembers: 2\n"
        "workers: 1\ncalibration: temperature\n"
    )
    return train(folder / "c.yaml", output=folder / "run").run


def number(text: str) -> float:
    """The number at the end of a text, in percent."""
    words = text.removesuffix(" %").removesuffix(" points").rsplit(" ", 1)[-1]
    return float(words.replace("−", "-").replace("+", ""))


@pytest.mark.slow
def test_contributions_add_up_to_the_prediction_of_nncli_predict(ensemble: Path) -> None:
    held_out = predict_held_out(ensemble)
    table = table_of(ensemble)
    assert table.columns[2] == "out-of-fold prediction"
    predicted = predict(ensemble, DATA / "penguins.csv", proba=True)
    for row in full_rows(table):
        place = int(row[0].replace(",", "")) - 1
        label, percent = row[4].split(": ")
        assert label == predicted["prediction"][place]  # as nncli explain
        assert predicted[f"proba_{label}"][place] == pytest.approx(number(percent) / 100, abs=6e-4)
        *terms, total = map(number, row[5].split("; "))
        assert total == number(percent)
        assert sum(terms) == pytest.approx(total, abs=0.5)  # each rounded to 0.1 %, and integrated within 0.1 %
    first = held_out.row_numbers.tolist().index(int(str(table.rows[0][0]).replace(",", "")))
    shown = held_out.predictions.values[first, held_out.y[first]]
    assert number(full_rows(table)[0][3]) / 100 == pytest.approx(shown, abs=6e-4)


def table_of(run: Path) -> TableBlock:
    held_out = predict_held_out(run)
    (table,) = (p for p in largest_errors(held_out, compute_importance(held_out)).parts if isinstance(p, TableBlock))
    return table


def test_rows_come_by_the_log_loss_of_their_class(penguins: Path) -> None:
    held_out, table = predict_held_out(penguins), table_of(penguins)
    errors = held_out.predictions.target.surprises(held_out.predictions, held_out.y)
    order = held_out.row_numbers[np.argsort(-errors, kind="stable")[:MAX_ROWS]]
    assert [row[0] for row in table.rows] == [f"{number:,}" for number in order]
    assert table.columns[:3] == ("row", "actual", "validation prediction")
    assert table.columns[-3:] == ("of the whole model", "contributions to it", "features")
    assert all("bill_length_mm " in str(row[-1]) for row in table.rows)


def test_rows_of_a_regression_come_by_their_absolute_error(line: Path) -> None:
    errors = [float(row[3].replace(",", "")) for row in full_rows(table_of(line))]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.slow
def test_contributions_are_signed_bars_of_which_the_largest_is_whole(ensemble: Path) -> None:
    for row in table_of(ensemble).cells:
        effects = row[5].effects
        assert max(abs(effect.size) for effect in effects) == 1.0
        assert all(effect.change.startswith("+" if effect.size > 0 else "−") for effect in effects)
        assert all(f"{effect.name} {effect.change}" in row[5].full for effect in effects)
