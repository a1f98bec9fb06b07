"""Coverage of intervals and sets in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import FigureBlock, Notice, Paragraph, Section, TableBlock
from nncli.analysis.report.sections.predictions import uncertainty
from nncli.models.predictions import Predictions
from tests.analysis.report.support import flat, trained_on

ROWS = 500


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> HeldOutPredictions:
    """A hundred held-out rows whose errors grow with x, by exactly known predictions."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"x": rng.integers(0, 5, ROWS), "word": rng.choice(["a", "b"], ROWS), "y": rng.normal(size=ROWS)}
    )
    held_out = predict_held_out(trained_on(tmp_path_factory.mktemp("numbers"), frame, "y"))
    values = held_out.y + np.linspace(-1.0, 1.0, len(held_out))[:, None]
    return replace(held_out, predictions=Predictions(held_out.predictions.target, values))


@pytest.fixture(scope="module")
def classes(penguins: Path) -> HeldOutPredictions:
    return predict_held_out(penguins)


def section_of(held_out: HeldOutPredictions, *columns: str) -> Section:
    section = uncertainty(held_out, columns)
    assert section is not None
    return section


def tables(section: Section) -> list[TableBlock]:
    return [
        part.table if isinstance(part, FigureBlock) else part
        for part in flat(section.parts)
        if isinstance(part, FigureBlock | TableBlock)
    ]


@pytest.mark.slow
def test_the_coverage_is_near_each_level(numbers: HeldOutPredictions) -> None:
    coverage, *_ = tables(section_of(numbers, "x"))
    for level, share, *_ in coverage.rows:
        assert float(str(share).rstrip(" %>")) == pytest.approx(100 * float(str(level)), abs=8.0)


@pytest.mark.slow
def test_intervals_are_drawn_over_the_first_numeric_column(numbers: HeldOutPredictions) -> None:
    _, over = tables(section_of(numbers, "word", "x"))
    assert over.columns[0] == "x"
    x = [float(str(row[0])) for row in over.rows]
    assert 3 <= len(x) <= 5  # equal numbers are in one bin
    assert x == sorted(x)
    assert sum(int(str(row[4])) for row in over.rows) == len(numbers)


def test_without_a_numeric_column_the_coverage_alone_is_drawn(numbers: HeldOutPredictions) -> None:
    assert len(tables(section_of(numbers, "word"))) == 1


@pytest.mark.slow
def test_intervals_of_predicted_quantiles_follow_the_spread(numbers: HeldOutPredictions) -> None:
    spread = np.where(np.arange(len(numbers)) % 4, 1.0, 9.0)[:, None, None]
    y = numbers.y + spread[:, :, 0] * np.random.default_rng(0).normal(size=numbers.y.shape)
    quantiles = numbers.y[:, :, None] + spread * np.array([-1.28, 0.0, 1.28])
    target = numbers.predictions.target
    predictions = Predictions(target, quantiles, levels=(0.1, 0.5, 0.9))
    coverage, *_ = tables(section_of(replace(numbers, y=y, predictions=predictions)))
    same_width = Predictions(target, predictions.values)
    others, *_ = tables(section_of(replace(numbers, y=y, predictions=same_width)))
    by_level, by_level_of_others = ({row[0]: row for row in table.rows} for table in (coverage, others))
    assert float(str(by_level["0.8"][4])) < 0.8 * float(str(by_level_of_others["0.8"][4]))  # the interval score


def test_sets_are_counted_by_size(classes: HeldOutPredictions) -> None:
    coverage, sizes = tables(section_of(classes))
    assert coverage.columns[0] == "level"
    assert sum(int(str(row[1])) for row in sizes.rows) == len(classes)


def test_the_guarantee_is_in_the_text_without_markup(classes: HeldOutPredictions) -> None:
    (text,) = (part.text for part in flat(section_of(classes).parts) if isinstance(part, Paragraph))
    assert "guaranteed" in text
    assert "--set metric=loss" in text
    assert "`" not in text


def test_several_targets_have_a_curve_and_a_table_each(pair: Path) -> None:
    section = section_of(predict_held_out(pair))
    assert len([part for part in tables(section) if "level" in part.columns]) == 2


def test_too_few_rows_and_training_rows_have_no_section(numbers: HeldOutPredictions) -> None:
    assert uncertainty(replace(numbers, split="training"), ()) is None
    few = np.arange(15)
    rows = replace(numbers, table=numbers.table.take(few), y=numbers.y[few], row_numbers=numbers.row_numbers[few])
    assert uncertainty(rows, ()) is None


def test_infinite_predictions_have_no_section(numbers: HeldOutPredictions) -> None:
    values = np.full_like(numbers.predictions.values, np.inf)
    assert uncertainty(replace(numbers, predictions=replace(numbers.predictions, points=values)), ()) is None


def test_a_third_of_the_predictions_that_is_rarely_covered_is_named(numbers: HeldOutPredictions) -> None:
    def notices(held_out: HeldOutPredictions) -> list[Notice]:
        return [part for part in section_of(held_out).parts if isinstance(part, Notice)]

    n = len(numbers)
    values, error = np.arange(n, dtype=np.float64)[:, None], np.linspace(-1.0, 1.0, n)[::-1, None]
    even = np.random.default_rng(0).permutation(error[:, 0])[:, None]
    predictions = Predictions(numbers.predictions.target, values)
    assert notices(replace(numbers, predictions=predictions, y=values + even)) == []
    growing = values + even * np.where(np.arange(n) < 2 * n // 3, 0.01, 1.0)[:, None]
    (notice,) = notices(replace(numbers, predictions=predictions, y=growing))
    assert "highest third" in notice.text
    assert "loss=quantiles" in notice.text
