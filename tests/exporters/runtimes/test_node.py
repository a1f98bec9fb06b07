"""Rows for Node, without Node."""

from __future__ import annotations

import json
from datetime import date, datetime

import polars as pl
import pytest

from nncli.exporters.runtimes.node import json_rows, missing


def test_rows_keep_missing_cells_dates_and_infinite_numbers() -> None:
    rows = pl.DataFrame(
        {
            "x": [1.5, float("inf"), None],
            "name": ["a Infinity", None, ""],
            "day": [date(1, 1, 1), None, date(2024, 2, 29)],
            "moment": [datetime(1969, 12, 31, 23, 59, 59, 1), None, datetime(2024, 2, 29)],
        }
    )
    assert json.loads(json_rows(rows)) == {
        "names": ["x", "name", "day", "moment"],
        "rows": [
            [1.5, "a Infinity", "0001-01-01", "1969-12-31T23:59:59.000001"],
            [{"number": "Infinity"}, None, None, None],
            [None, "", "2024-02-29", "2024-02-29T00:00:00"],
        ],
    }


def test_times_are_those_of_utc() -> None:
    moments = pl.Series("t", [datetime(2024, 7, 1, 12, 30)]).dt.replace_time_zone("Europe/Berlin")
    assert json.loads(json_rows(moments.to_frame()))["rows"] == [["2024-07-01T10:30:00"]]


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "nodejs" in (missing() or "")
