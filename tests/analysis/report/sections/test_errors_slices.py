"""Data slices and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import FigureBlock, Paragraph
from nncli.analysis.report.sections import errors as module
from nncli.analysis.report.sections.errors import slices, slices_of
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.targets.metrics.bootstrap import BootstrapResampler
from tests.analysis.report.support import full_rows


def with_columns(held_out: HeldOutPredictions, **columns: Sequence[object]) -> HeldOutPredictions:
    """The held_out rows with the target and other columns."""
    target = held_out.predictions.target.names[0]
    cells = held_out.table.column(target)
    return replace(held_out, table=Table(pl.DataFrame({target: cells, **columns}), "t"))


def of(held_out: HeldOutPredictions, name: str) -> dict[str, int]:
    return {called: int(rows.sum()) for called, rows in slices_of(held_out, name)}


def test_numeric_slices_are_quartiles_and_others_the_most_frequent_values(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    n = len(held_out)
    numbers = [None if i < 9 else float(i) for i in range(n)]
    words = [None if i < 4 else "abcdefgh"[i % 8] for i in range(n)]
    few = [i % 2 for i in range(n)]
    identifiers = [f"id {i}" for i in range(n)]
    held_out = with_columns(held_out, numbers=numbers, words=words, few=few, own=identifiers)
    quarters = of(held_out, "numbers")
    assert quarters.pop("missing") == 9
    assert len(quarters) == 4
    assert sum(quarters.values()) == n - 9
    assert max(quarters.values()) - min(quarters.values()) <= 1
    parts = of(held_out, "words")
    assert list(parts)[-2:] == ["other values", "missing"]
    assert sum(parts.values()) == n
    assert len(parts) == 8
    assert of(held_out, "few") == {"0": (n + 1) // 2, "1": n // 2, "other values": 0, "missing": 0}
    assert of(held_out, "own") == {}


def test_the_slice_with_the_largest_error_comes_first_and_small_ones_are_left_out(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    n, K = len(held_out), held_out.predictions.values.shape[1]
    bad = np.arange(n) % 3 == 0
    predicted = np.where(bad, (held_out.y + 1) % K, held_out.y)
    held_out = replace(held_out, predictions=Predictions(held_out.predictions.target, np.eye(K)[predicted]))
    rare = ["rare" if i < 9 else "common" for i in range(n)]
    held_out = with_columns(held_out, side=["bad" if item else "good" for item in bad], rare=rare)
    section = slices(held_out, held_out.scores_with_intervals())
    (table,) = [part.table for part in section.parts if isinstance(part, FigureBlock)]
    assert full_rows(table)[0][:4] == ["side", "bad", str(bad.sum()), "100 %"]
    assert ("rare", "rare") not in [row[:2] for row in table.rows]


def test_only_the_most_important_columns_are_examined(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = predict_held_out(penguins)
    n, K = len(held_out), held_out.predictions.values.shape[1]
    bad = np.arange(n) % 3 == 0
    predicted = np.where(bad, (held_out.y + 1) % K, held_out.y)
    held_out = replace(held_out, predictions=Predictions(held_out.predictions.target, np.eye(K)[predicted]))
    side = ["bad" if item else "good" for item in bad]
    held_out = with_columns(held_out, a=[i % 2 for i in range(n)], b=[i % 5 for i in range(n)], side=side)
    monkeypatch.setattr(module, "MAX_EXAMINED", 1)
    section = slices(held_out, held_out.scores_with_intervals(), ["side"])
    assert Paragraph("Only the 1 most important of 3 columns were examined.") in section.parts
    (table,) = [part.table for part in section.parts if isinstance(part, FigureBlock)]
    assert {row[0] for row in table.rows} == {"side"}
    unranked = slices(held_out, held_out.scores_with_intervals())
    assert "1 first of 3" in str(unranked.parts)


def test_without_errors_none_stands_out(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    right = Predictions(held_out.predictions.target, np.eye(held_out.predictions.values.shape[1])[held_out.y])
    section = slices(replace(held_out, predictions=right), held_out.scores_with_intervals())
    assert not any(isinstance(part, FigureBlock) for part in section.parts)
    assert isinstance(section.parts[0], Paragraph)
    assert section.parts[0].text.startswith("None of ")


@pytest.mark.slow
def test_slices_of_noise_seldom_stand_out(penguins: Path) -> None:
    held_out, rng = predict_held_out(penguins), np.random.default_rng(0)
    scores, n, result = held_out.scores_with_intervals(), len(held_out), 0
    for _ in range(20):
        noise = {f"c{j}": rng.integers(0, 3, n).tolist() for j in range(8)}
        section = slices(with_columns(held_out, **noise), scores)
        result += any(isinstance(part, FigureBlock) for part in section.parts)
    assert result <= 3


def test_groups_are_shuffled_as_a_whole(penguins: Path) -> None:
    """An error of one group in all of its rows is one observation, and no slice stands out by it."""
    held_out = predict_held_out(penguins)
    n, K = len(held_out), held_out.predictions.values.shape[1]
    group = np.arange(n) // 12
    predicted = np.where(group == 0, (held_out.y + 1) % K, held_out.y)
    held_out = replace(held_out, predictions=Predictions(held_out.predictions.target, np.eye(K)[predicted]))
    held_out = with_columns(held_out, side=["bad" if item == 0 else "good" for item in group])
    scores = held_out.scores_with_intervals()
    assert any(isinstance(part, FigureBlock) for part in slices(held_out, scores).parts)
    grouped = replace(scores, resampling=BootstrapResampler.of(n, 0, group))
    assert not any(isinstance(part, FigureBlock) for part in slices(held_out, grouped).parts)
