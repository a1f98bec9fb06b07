"""The summary of a table for training."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.fitting.table_summary import summarize_table
from tests.assertions import raises

ROWS = [f"{i},{i % 3},{i * 0.5},{'?' if i % 10 == 0 else i % 7},c" for i in range(40)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["id,group,y,x,same", *ROWS]) + "\n")
    return path


def test_columns_are_kept_or_dropped_with_a_reason(table: Path) -> None:
    summary = summarize_table(table, ["y"])
    assert [column.name for column in summary.kept] == ["group", "x"]
    assert {column.name: bool(column.reason) for column in summary.dropped} == {"id": True, "same": True}
    assert (summary.rows, summary.table_rows, summary.n_columns, summary.task) == (40, 40, 5, "regression")


@pytest.mark.slow
@pytest.mark.parametrize("word", ["n/a", "tbd", "withheld"])
def test_a_word_beside_amounts_with_thousands_separators_is_a_missing_cell(tmp_path: Path, word: str) -> None:
    path = tmp_path / "rents.csv"
    rents = [f'"${1 + i % 3},{100 + i * 37 % 900}.{i % 90 + 10}"' for i in range(200)]
    path.write_text("size,rent\n" + "".join(f"{i % 50},{r}\n" for i, r in enumerate([*rents, word, "$950.50"])))
    for target, others in (("rent", ["size"]), ("size", ["rent"])):
        summary = summarize_table(path, [target])
        assert (summary.data.thousands, summary.rows) == (",", 201 if target == "rent" else 202)
        assert [(column.name, column.error) for column in (*summary.kept, *summary.targets)] == [
            (name, None) for name in (*others, target)
        ]


def test_a_feature_that_groups_rows_is_noted_unless_they_are_grouped(table: Path) -> None:
    lines = [f"c{i // 4},{i * 0.5},{i % 7}" for i in range(400)]
    table.write_text("\n".join(["customer_id,y,x", *lines]) + "\n")
    assert [(f.code, f.location.column) for f in summarize_table(table, ["y"]).findings] == [
        ("group-like-column", "customer_id")
    ]
    assert summarize_table(table, ["y"], ["data.group=customer_id"]).findings == ()


def test_kept_columns_are_computed_once(table: Path) -> None:
    summary = summarize_table(table, ["y"])
    assert summary.kept is summary.kept
    assert summary.kept[0] in summary.columns  # no copy unless its kind is set


def test_spellings_of_missing_values_are_found_by_reading_again(table: Path) -> None:
    summary = summarize_table(table, ["y"])
    assert summary.na_spellings == ("?",)
    assert summary.data.missing_values[-1] == "?"
    (x,) = (column for column in summary.kept if column.name == "x")
    assert (x.kind, x.missing) == ("numeric", 4)


def test_few_integers_are_class_labels_unless_a_loss_is_set(table: Path) -> None:
    summary = summarize_table(table, ["group"])
    assert (summary.task, summary.integer_classes) == ("classification", True)
    summary = summarize_table(table, ["group"], ["loss=mse"])
    assert (summary.task, summary.integer_classes) == ("regression", False)


def test_a_column_that_is_requested_by_name_is_kept(table: Path) -> None:
    summary = summarize_table(table, ["y"], ["data.columns={id: numeric}"])
    assert "id" in [column.name for column in summary.kept]


def test_a_table_without_target_or_features_is_refused(table: Path) -> None:
    with pytest.raises(UsageError, match="target='y'"):
        summarize_table(table, [])
    table.write_text("same,y\n" + "".join(f"c,{i}\n" for i in range(30)))
    with pytest.raises(DataError, match="'same'"):
        summarize_table(table, ["y"])


@pytest.mark.slow
def test_dates_whose_day_and_month_are_ambiguous_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{1 + i % 6:02}/{1 + i % 5:02}/2024,{i}" for i in range(40)]
    path.write_text("\n".join(["when,y", *rows]) + "\n")
    (finding,) = summarize_table(path, ["y"]).findings
    assert (finding.level, finding.code, finding.location.column) == ("warning", "ambiguous-dates", "when")
    assert "date_format" in finding.hint
    (finding,) = summarize_table(path, ["y"], ["data.date_format='%d/%m/%Y'"]).findings
    assert "data.time=when" in finding.hint
    assert not summarize_table(path, ["y"], ["data.date_format='%d/%m/%Y'", "validation=0"]).findings
    assert not summarize_table(path, ["y"], ["data.columns={when: categorical}"]).findings


def test_a_column_of_ambiguous_dates_that_differ_in_every_row_is_dropped_with_the_key_that_keeps_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{1 + i % 12:02}/{1 + i % 11:02}/2024,{i % 7},{i}" for i in range(40)]
    path.write_text("\n".join(["when,x,y", *rows]) + "\n")
    (dropped,) = summarize_table(path, ["y"]).dropped
    assert dropped.name == "when"
    assert "date_format" in dropped.reason
    assert not summarize_table(path, ["y"], ["data.date_format='%d/%m/%Y'"]).dropped


def test_the_settings_of_the_file_hold_while_its_columns_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\u0433\u043e\u0440\u043e\u0434;a,b;y\n1;2,5;3\n".encode("koi8-r"))
    with raises(UsageError, file="t.csv", mentions="\u0433\u043e\u0440\u043e\u0434"):
        summarize_table(path, [], ["data.encoding=koi8-r", "data.separator=;"])
    with raises(UsageError, file="t.csv", mentions="\u0433\u043e\u0440\u043e\u0434;a"):
        summarize_table(path, [], ["data.encoding=koi8-r", "data.separator=','"])
    with raises(ConfigError, mentions="utf-61"):
        summarize_table(path, [], ["data.encoding=utf-61"])


def test_an_assignment_may_name_the_target(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("?,x,y\n" + "".join(f"{i},{i % 5},{i % 3}.5\n" for i in range(20)))
    assert summarize_table(path, [], ["data.target=y"]).data.target == ("y",)
    assert summarize_table(path, ["?"]).data.target == ("?",)
