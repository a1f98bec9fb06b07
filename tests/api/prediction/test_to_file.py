"""`--on-error` and `--errors` of predict and evaluate."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from nncli import evaluate, load, predict, train
from nncli.api.prediction.to_file import check_errors_file
from nncli.base.errors import CellError, UsageError
from nncli.data.sources.table_source import TableSource
from tests.assertions import raises
from tests.cli.support import Cli

N = 60
BAD = {7: ("x", "abc"), 9: ("when", "05/06/2024"), 12: ("x", "1e999"), 13: ("when", "soon")}
"""Cells that cannot be read, by their row."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("errors")
    frame(bad=False).write_csv(home / "train.csv")
    (home / "c.yaml").write_text("data: {path: train.csv, target: y}\nlayers: [4]\nepochs: 2\nmembers: 2\n")
    return train(home / "c.yaml", output=home / "run").run


def frame(*, bad: bool, target: bool = True) -> pl.DataFrame:
    x = [f"{i * 37 % 100 / 4}" for i in range(N)]
    when = [f"{1 + i % 28:02}.{1 + i % 12:02}.2024" for i in range(N)]
    cells = {"x": x, "when": when, "name": [f"n{i % 3}" for i in range(N)], "y": [str(i % 13 / 2) for i in range(N)]}
    for row, (column, cell) in BAD.items() if bad else ():
        cells[column][row - 1] = cell
    if bad and target:
        cells["y"][19] = "none"
    return pl.DataFrame(cells)


def write(table: pl.DataFrame, path: Path) -> Path:
    buffer = io.BytesIO()
    if path.suffix == ".parquet":
        table.write_parquet(buffer)
    elif path.suffix == ".jsonl":
        table.write_ndjson(buffer)
    else:
        table.write_csv(buffer)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.slow
def test_one_bad_cell_ends_the_command_by_default(nncli: Cli, here: Path, trained: Path) -> None:
    write(frame(bad=True), here / "bad.csv")
    done = nncli("predict", trained, "bad.csv", "-o", "out.csv")
    assert done.code == 4
    assert "--on-error" in done.err
    assert "data." not in done.err  # a trained run cannot take keys of the configuration
    assert not (here / "out.csv").exists()
    with raises(CellError, file="bad.csv", row=7, column="x"):
        predict(trained, here / "bad.csv")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_bad_cells_are_missing_or_their_rows_are_skipped(
    nncli: Cli, here: Path, trained: Path, suffix: str, way: str
) -> None:
    path = write(frame(bad=True), here / f"bad.{suffix}")
    source, stdin = (path, b"") if way == "file" else ("-", path.read_bytes())
    emptied = frame(bad=False).with_row_index("row", offset=1)
    for row, (column, _) in BAD.items():
        emptied = emptied.with_columns(pl.when(pl.col("row") != row).then(pl.col(column)).alias(column))
    expected = predict(trained, emptied)
    bad = pl.Series(list(BAD)) - 1
    for choice in ("missing", "skip"):
        options = ("--on-error", choice, "--errors", f"{choice}.csv", "--keep", "x")
        done = nncli("predict", trained, source, *options, stdin=stdin)
        assert done.code == 0
        assert "4 cells" in done.err
        predicted = pl.read_csv(done.out.encode(), infer_schema=False)
        wanted = expected if choice == "missing" else expected.with_row_index().filter(~pl.col("index").is_in(bad))
        assert predicted["prediction"].cast(pl.Float64).equals(wanted["prediction"])
        kept = pl.read_csv(here / f"{choice}.csv", infer_schema=False)
        assert kept.select("row", "column", "value").rows() == [(str(row), *cell) for row, cell in BAD.items()]
        if choice == "missing":
            assert predicted["x"][6] == "abc"  # kept columns are as in the input


@pytest.mark.slow
def test_the_python_functions_do_the_same(trained: Path, tmp_path: Path) -> None:
    bad, notes = frame(bad=True), list[str]()
    whole = predict(trained, bad, on_error="missing", errors=tmp_path / "e.csv", on_note=notes.append)
    assert len(whole) == N
    assert notes[0].startswith("4 cells in 4 rows")
    model = load(trained)
    assert len(model.predict(bad, on_error="skip")) == N - len(BAD)
    assert len(pl.read_csv(tmp_path / "e.csv")) == len(BAD)
    with pytest.raises(UsageError):
        predict(trained, bad, on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        predict(trained, bad, errors=tmp_path / "e.csv")


@pytest.mark.slow
def test_evaluate_leaves_out_rows_whose_target_cannot_be_read(
    nncli: Cli, here: Path, trained: Path, tmp_path: Path
) -> None:
    path = write(frame(bad=True), here / "bad.csv")
    with raises(CellError, file="bad.csv"):
        evaluate(trained, path)
    missing = evaluate(trained, path, on_error="missing", errors=tmp_path / "e.csv")
    assert (missing.rows, missing.invalid_cells, missing.invalid_rows) == (N - 1, 5, 5)
    assert len(pl.read_csv(tmp_path / "e.csv")) == 5
    done = nncli("evaluate", trained, path, "--on-error", "skip", "--json")
    assert done.code == 0
    assert f'"rows": {N - 5}' in done.out
    assert '"invalid_rows": 5' in done.out


@pytest.mark.slow
def test_a_table_of_bad_rows_alone_predicts_nothing(trained: Path) -> None:
    rows = frame(bad=True)[[6, 8]]
    assert len(predict(trained, rows, on_error="skip")) == 0
    assert len(predict(trained, rows, on_error="missing")) == 2


def test_a_missing_column_is_an_error_whatever_on_error_says(trained: Path) -> None:
    with pytest.raises(Exception, match="when") as caught:
        predict(trained, frame(bad=True).drop("when"), on_error="skip")
    assert getattr(caught.value, "exit_code", None) == 4


def test_the_file_of_errors_must_be_a_new_one(tmp_path: Path) -> None:
    old = tmp_path / "old.csv"
    old.write_text("x\n")
    stdin, table, folder = (TableSource(path=path) for path in ("-", str(old), str(tmp_path)))
    check_errors_file(tmp_path / "new.csv", table, None, force=False)
    check_errors_file(old, stdin, tmp_path / "out.csv", force=True)
    for errors, source, target, force in (
        (old, stdin, None, False),
        (old, table, None, True),
        (old, folder, None, True),
        (old, stdin, old, True),
        (Path("-"), stdin, None, True),
    ):
        with pytest.raises(UsageError):
            check_errors_file(errors, source, target, force=force)
