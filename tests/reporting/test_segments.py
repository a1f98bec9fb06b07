"""Segments: the rows that have something in common, and how far off they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.data.table import Table
from nncli.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.evaluation.score_intervals import score_with_intervals
from nncli.model import Predictions
from nncli.reporting.page import Figure, Paragraph
from nncli.reporting.sections import slices as module
from nncli.reporting.sections.slices import parts_of, segments


def with_columns(judged: HeldOutPredictions, **columns: Sequence[object]) -> HeldOutPredictions:
    """The judged rows with the target and other columns."""
    target = judged.predictions.target.names[0]
    cells = judged.table.column(target)
    return replace(judged, table=Table(pl.DataFrame({target: cells, **columns}), "t"))


def of(judged: HeldOutPredictions, name: str) -> dict[str, int]:
    return {called: int(rows.sum()) for called, rows in parts_of(judged, name)}


def test_numbers_fall_into_quarters_and_words_into_the_commonest(penguins: Path) -> None:
    judged = predict_held_out(penguins)
    n = len(judged)
    numbers = [None if i < 9 else float(i) for i in range(n)]
    words = [None if i < 4 else "abcdefgh"[i % 8] for i in range(n)]
    few = [i % 2 for i in range(n)]
    own = [f"id {i}" for i in range(n)]
    judged = with_columns(judged, numbers=numbers, words=words, few=few, own=own)
    quarters = of(judged, "numbers")
    assert quarters.pop("missing") == 9
    assert len(quarters) == 4
    assert sum(quarters.values()) == n - 9
    assert max(quarters.values()) - min(quarters.values()) <= 1
    parts = of(judged, "words")
    assert list(parts)[-2:] == ["any other value", "missing"]
    assert sum(parts.values()) == n
    assert len(parts) == 8
    assert of(judged, "few") == {"0": (n + 1) // 2, "1": n // 2, "any other value": 0, "missing": 0}
    assert of(judged, "own") == {}


def test_the_worst_segment_comes_first_and_small_ones_are_left_out(penguins: Path) -> None:
    judged = predict_held_out(penguins)
    n, K = len(judged), judged.predictions.values.shape[1]
    bad = np.arange(n) % 3 == 0
    said = np.where(bad, (judged.y + 1) % K, judged.y)
    judged = replace(judged, predictions=Predictions(judged.predictions.target, np.eye(K)[said]))
    rare = ["rare" if i < 9 else "common" for i in range(n)]
    judged = with_columns(judged, side=["bad" if one else "good" for one in bad], rare=rare)
    section = segments(judged, score_with_intervals(judged))
    assert section is not None
    (table,) = [part.table for part in section.parts if isinstance(part, Figure)]
    assert table.rows[0][:4] == ("side", "bad", str(bad.sum()), "100 %")
    assert ("rare", "rare") not in [row[:2] for row in table.rows]


def test_of_many_columns_those_that_come_first_are_looked_at(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = predict_held_out(penguins)
    n, K = len(judged), judged.predictions.values.shape[1]
    bad = np.arange(n) % 3 == 0
    said = np.where(bad, (judged.y + 1) % K, judged.y)
    judged = replace(judged, predictions=Predictions(judged.predictions.target, np.eye(K)[said]))
    side = ["bad" if one else "good" for one in bad]
    judged = with_columns(judged, a=[i % 2 for i in range(n)], b=[i % 5 for i in range(n)], side=side)
    monkeypatch.setattr(module, "MOST_COLUMNS", 1)
    section = segments(judged, score_with_intervals(judged), ["side"])
    assert section is not None
    assert Paragraph("Of 3 columns only the 1 that it leans on most were looked at.") in section.parts
    (table,) = [part.table for part in section.parts if isinstance(part, Figure)]
    assert {row[0] for row in table.rows} == {"side"}
    unranked = segments(judged, score_with_intervals(judged))
    assert unranked is None or "that come first" in str(unranked.parts)


def test_where_no_row_is_wrong_there_is_nothing_to_show(penguins: Path) -> None:
    judged = predict_held_out(penguins)
    right = Predictions(judged.predictions.target, np.eye(judged.predictions.values.shape[1])[judged.y])
    judged = replace(judged, predictions=right)
    assert segments(judged, score_with_intervals(judged)) is None
