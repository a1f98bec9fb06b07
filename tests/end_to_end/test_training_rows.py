"""A run recognizes the rows it was trained on in any table: by value, whatever the file's format and spelling."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, explain, load, train
from nncli.base.errors import RunError
from nncli.run_directory.manifest import TRAINING_ROWS
from nncli.run_directory.run import Run
from tests.assertions import raises
from tests.cli.support import DATA, Cli

ROWS = 60
FIRST_DAY = pl.date(2024, 1, 1)
CONFIG = """
data: {path: TABLE, target: y}
layers: [4]
epochs: 2
"""


def made_table(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """A table with a column of each kind, with missing cells."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=rows),
            "n": rng.integers(50, size=rows),
            "word": rng.choice(["a", "b", "c"], size=rows),
            "flag": rng.random(rows) < 0.5,
            "price": rng.uniform(1, 100, size=rows).round(2),
            "y": rng.normal(size=rows),
        }
    )
    return frame.with_columns(
        day=FIRST_DAY + pl.duration(days=pl.int_range(pl.len())),
        text="the quick fox " + pl.int_range(pl.len()).cast(pl.String),
        x=pl.when(pl.int_range(pl.len()) % 9 > 0).then("x"),
        word=pl.when(pl.int_range(pl.len()) % 7 > 0).then("word"),
    )


def trained(folder: Path, frame: pl.DataFrame, config: str = CONFIG) -> Path:
    frame.write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(config.replace("TABLE", str(folder / "t.csv")))
    return train(folder / "c.yaml", output=folder / "run").run


def trained_on(run: Path, table: Path | pl.DataFrame) -> tuple[int, int]:
    """The number of rows that are recognized, and of all rows."""
    result = evaluate(run, table)
    assert result.training_rows is not None
    return result.training_rows.trained_rows, result.rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("run"), made_table())


def test_all_rows_of_the_training_table_are_recognized(run: Path) -> None:
    result = evaluate(run, run.parent / "t.csv")
    assert result.training_rows is not None
    assert result.training_rows.are_optimistic
    assert result.json()["training_rows"] == {"rows": ROWS, "by_chance": 0, "optimistic": True}


def test_new_rows_are_not(run: Path) -> None:
    result = evaluate(run, made_table(seed=1))
    assert result.training_rows is not None
    assert result.training_rows.json() == {"rows": 0, "by_chance": 0, "optimistic": False}


def test_the_order_of_rows_and_columns_and_further_columns_do_not_matter(run: Path) -> None:
    frame = made_table().sample(fraction=1.0, shuffle=True, seed=0)
    other = pl.concat([frame[:20], made_table(30, seed=1)])
    assert trained_on(run, other.select(sorted(other.columns, reverse=True)).with_row_index("id")) == (20, 50)


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.csv", "t.tsv", "t.csv.gz"])
def test_the_format_of_the_file_does_not_matter(run: Path, tmp_path: Path, name: str) -> None:
    import gzip

    from nncli.data.formats.writers import open_sink

    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress((run.parent / "t.csv").read_bytes()))
    else:
        with open_sink(path) as sink:
            sink.write(made_table())
    assert trained_on(run, path) == (ROWS, ROWS)


def test_the_spelling_of_numbers_and_their_precision_do_not_matter(run: Path, tmp_path: Path) -> None:
    spelled = made_table().with_columns(
        pl.col("n").cast(pl.String) + ".0", pl.col("price").map_elements("{:.4f}".format)
    )
    spelled.write_csv(tmp_path / "t.csv")
    assert trained_on(run, tmp_path / "t.csv") == (ROWS, ROWS)
    assert trained_on(run, made_table().with_columns(pl.selectors.float().cast(pl.Float32))) == (ROWS, ROWS)


@pytest.mark.parametrize("column", ["x", "n", "word", "flag", "price", "day", "y"])
def test_a_row_with_another_value_is_another_row(run: Path, column: str) -> None:
    frame = made_table()
    cells = frame[column]
    flipped = ~cells if cells.dtype == pl.Boolean else cells.shift(1).fill_null(cells[-1])
    same = (flipped == cells).fill_null(False) | (flipped.is_null() & cells.is_null())
    assert trained_on(run, frame.with_columns(flipped.alias(column))) == (same.sum(), ROWS)


def test_the_rows_of_a_validation_file_count_and_those_left_out_do_not(tmp_path: Path) -> None:
    new = made_table(40, seed=1)
    new.write_csv(tmp_path / "v.csv")
    with_file = CONFIG + f"validation: {{path: {tmp_path / 'v.csv'}}}\n"
    assert trained_on(trained(tmp_path, made_table(), with_file), new) == (40, 40)
    fold = CONFIG.replace("target: y", "target: y, leave_out: {folds: 3, fold: 0}")
    (tmp_path / "fold").mkdir()
    assert trained_on(trained(tmp_path / "fold", made_table(), fold), made_table()) == (40, 60)


@pytest.mark.parametrize("bagging", ["folds", "seeds", "bootstrap"])
def test_every_row_was_trained_on_by_a_member_of_an_ensemble(tmp_path: Path, bagging: str) -> None:
    run = trained(tmp_path, made_table(), CONFIG + f"members: 2\nworkers: 1\nbagging: {bagging}\n")
    assert trained_on(run, made_table()) == (ROWS, ROWS)
    assert trained_on(run / "members" / "1", made_table()) == (ROWS, ROWS)
    assert trained_on(run, made_table(seed=1)) == (0, ROWS)


def test_a_loaded_model_and_an_explanation_say_the_same(run: Path) -> None:
    table = run.parent / "t.csv"
    expected = evaluate(run, table).training_rows
    assert load(run).evaluate(table).training_rows == expected
    explained = explain(run, table, top=0, permutations=1)
    assert explained.training_rows == expected
    assert explained.json()["training_rows"] == {"rows": ROWS, "by_chance": 0, "optimistic": True}
    assert explain(run, made_table().drop("y"), top=0, permutations=1).training_rows is None
    assert explain(run, top=0, permutations=1).training_rows is None


def test_the_commands_warn_also_when_quiet(nncli: Cli, run: Path, tmp_path: Path) -> None:
    made_table(seed=1).write_csv(tmp_path / "new.csv")
    for command in (["evaluate"], ["explain", "--permutations", "1", "--top", "0"]):
        assert nncli(*command, run, run.parent / "t.csv", "-q").check().err.startswith("warning: 60 of 60 rows")
        assert nncli(*command, run, tmp_path / "new.csv", "-q").check().err == ""


def test_a_run_without_the_record_says_nothing_and_gets_one_when_resumed(penguins: Path, tmp_path: Path) -> None:
    from tests.run_directory.support import signed

    old = shutil.copytree(penguins, tmp_path / "old")
    (old / TRAINING_ROWS).unlink()
    signed(old)
    result = evaluate(old, DATA / "penguins.csv")
    assert result.training_rows is None
    assert result.json()["training_rows"] is None
    epochs = Run.open(old).load_manifest().epochs
    train(resume=old, set=[f"epochs={epochs + 1}"])
    assert trained_on(old, DATA / "penguins.csv") == (344, 344)


def test_a_damaged_record_is_an_error(penguins: Path, tmp_path: Path) -> None:
    from tests.run_directory.support import signed

    broken = shutil.copytree(penguins, tmp_path / "broken")
    (broken / TRAINING_ROWS).write_bytes(b"nothing")
    with raises(RunError, file=TRAINING_ROWS):
        evaluate(broken, DATA / "penguins.csv")
    signed(broken)
    with raises(RunError, file=TRAINING_ROWS):
        evaluate(broken, DATA / "penguins.csv")


def test_few_distinct_rows_raise_no_alarm_when_new_ones_equal_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({name: rng.integers(3, size=400) for name in "aby"})
    config = CONFIG + "loss: cross_entropy\n"
    result = evaluate(trained(tmp_path, frame[:200], config), frame[200:])
    assert result.training_rows is not None
    assert result.training_rows.trained_rows == 200
    assert not result.training_rows.are_optimistic
    assert json.loads(json.dumps(result.json()))["training_rows"]["by_chance"] == pytest.approx(200, abs=5)


def test_a_comparison_on_training_rows_warns_of_each_run(nncli: Cli, run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    done = nncli("compare", run, copy, "--data", run.parent / "t.csv", "-q", "--json").check()
    assert [line.startswith("warning: ") for line in done.err.splitlines()] == [True, True]
    compared = json.loads(done.out)["runs"]
    assert [entry["training_rows"] for entry in compared] == [{"rows": ROWS, "by_chance": 0, "optimistic": True}] * 2
    made_table(seed=1).write_csv(tmp_path / "new.csv")
    assert nncli("compare", run, copy, "--data", tmp_path / "new.csv", "-q").check().err == ""
