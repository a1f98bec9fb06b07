"""`nncli predict` on the command line: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

from nncli import predict, train
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.cli.support import COMMAND, DATA, ROOT, Cli, run

TABLE = DATA / "penguins.csv"
CELLS = pl.read_csv(TABLE, infer_schema=False, null_values=["NA"])
TYPED = pl.read_csv(TABLE, null_values=["NA"])


def share(cells: pl.Series, others: pl.Series) -> float:
    """How many of the cells are the same."""
    return float((cells == others).to_numpy().mean())


@pytest.fixture(scope="module")
def expected(penguins: Path) -> str:
    return run("predict", penguins, TABLE, "--proba").check().out


def test_there_is_a_row_for_each_row_in_order(expected: str) -> None:
    frame = pl.read_csv(expected.encode())
    assert frame.columns == ["prediction", "proba_Adelie", "proba_Chinstrap", "proba_Gentoo"]
    assert frame.height == 344
    assert share(frame["prediction"], CELLS["species"]) > 0.95
    assert frame.select(pl.sum_horizontal(pl.exclude("prediction"))).to_series().is_between(0.999, 1.001).all()


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet", "t.jsonl", "t.jsonl.gz", "t.ndjson"])
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_every_format_gives_the_same_bits_from_a_file_and_from_a_pipe(
    nncli: Cli, here: Path, penguins: Path, expected: str, name: str, way: str
) -> None:
    buffer = io.BytesIO()
    if ".csv" in name:
        buffer.write(TABLE.read_bytes())
    elif ".tsv" in name:
        buffer.write(TABLE.read_bytes().replace(b",", b"\t"))
    elif ".parquet" in name:
        TYPED.write_parquet(buffer)
    else:
        TYPED.write_ndjson(buffer)
    content = gzip.compress(buffer.getvalue()) if name.endswith(".gz") else buffer.getvalue()
    (here / name).write_bytes(content)
    if way == "file":
        done = nncli("predict", penguins, name, "--proba")
    else:
        done = nncli("predict", penguins, "-", "--proba", stdin=content)
    assert done.check().out == expected


def test_without_an_input_the_standard_input_is_read(nncli: Cli, penguins: Path, expected: str) -> None:
    assert nncli("predict", penguins, "--proba", stdin=TABLE.read_bytes()).check().out == expected


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.parquet", "o.jsonl"])
def test_every_format_comes_out(nncli: Cli, here: Path, penguins: Path, expected: str, name: str) -> None:
    done = nncli("predict", penguins, TABLE, "--proba", "-q", "-o", name).check()
    assert (done.out, done.err) == ("", "")
    content = Path(name).read_bytes()
    if name == "o.csv":
        assert content.decode() == expected
    elif name == "o.csv.gz":
        assert gzip.decompress(content).decode() == expected
    else:
        frame = pl.read_parquet(name) if name == "o.parquet" else pl.read_ndjson(name)
        assert frame.equals(pl.read_csv(expected.encode(), schema_overrides=frame.schema))


def test_the_format_of_standard_output_can_be_chosen(nncli: Cli, penguins: Path) -> None:
    done = nncli("predict", penguins, TABLE, "--format", "jsonl").check()
    assert done.out.splitlines()[0] == '{"prediction":"Adelie"}'


def test_kept_columns_come_first_in_the_order_asked_for_and_each_once(nncli: Cli, penguins: Path) -> None:
    words = ("--keep", "year", "--keep", "sex", "--keep", "year")
    frame = pl.read_csv(nncli("predict", penguins, TABLE, *words).check().out.encode(), infer_schema=False)
    assert frame.columns == ["year", "sex", "prediction"]
    assert frame["year"].equals(CELLS["year"])
    assert frame["sex"].equals(CELLS["sex"])


def test_a_kept_column_that_is_not_there_is_told(nncli: Cli, penguins: Path) -> None:
    assert "'yaer'" in nncli("predict", penguins, TABLE, "--keep", "yaer").check(4).err


def test_a_kept_column_may_not_take_the_prediction_s_name(nncli: Cli, penguins: Path) -> None:
    table = CELLS.with_columns(prediction=pl.lit("x")).write_csv().encode()
    assert "twice" in nncli("predict", penguins, "-", "--keep", "prediction", stdin=table).check(2).err


def test_several_targets_each_have_a_column(nncli: Cli, pair: Path) -> None:
    out = nncli("predict", pair, DATA / "linear.csv").check().out
    assert out.splitlines()[0] == "prediction_x2,prediction_y"


def test_proba_of_numbers_is_refused(nncli: Cli, line: Path) -> None:
    assert "classification" in nncli("predict", line, DATA / "linear.csv", "--proba").check(2).err


def test_target_order_and_other_columns_do_not_matter(nncli: Cli, penguins: Path, expected: str) -> None:
    table = CELLS.drop("species", "year").select(pl.all().reverse().reverse()).with_columns(other=pl.lit(1))
    table = table.select(reversed(table.columns))
    done = nncli("predict", penguins, "-", "--proba", stdin=table.write_csv().encode())
    assert done.check().out == expected


def test_a_table_of_something_else_is_refused(nncli: Cli, penguins: Path) -> None:
    done = nncli("predict", penguins, DATA / "linear.csv").check(4)
    assert "no such column" in done.err
    assert "'island'" in done.err


@pytest.mark.parametrize("name", ["missing.csv", "t.xyz", "t"])
def test_an_input_that_is_no_table_is_told(nncli: Cli, here: Path, penguins: Path, name: str) -> None:
    if name != "missing.csv":
        Path(name).write_text("x")
    assert nncli("predict", penguins, name).code == (4 if name == "missing.csv" else 2)


def test_an_unseen_category_and_a_missing_cell_are_predicted(nncli: Cli, penguins: Path) -> None:
    table = b"island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex\nAtlantis,39,NA,181,,\n"
    assert nncli("predict", penguins, "-", stdin=table).check().out.count("\n") == 2


@pytest.mark.parametrize("way", ["file", "pipe"])
def test_what_training_never_saw_is_counted_in_one_line_unless_quiet(
    nncli: Cli, here: Path, penguins: Path, expected: str, way: str
) -> None:
    table = TABLE.read_bytes().replace(b"Torgersen", b"Atlantis\x1b[2J")
    Path("t.csv").write_bytes(table)
    words, stdin = (("t.csv",), b"") if way == "file" else (("-",), table)
    done = nncli("predict", penguins, *words, stdin=stdin).check()
    assert done.err.startswith("note: 52 cells hold a category that training never saw ('island': 52); ")
    assert done.err.count("\n") == 1
    quiet = nncli("predict", penguins, *words, "-q", stdin=stdin).check()
    assert (quiet.out, quiet.err) == (done.out, "")


def test_there_is_no_note_when_there_is_nothing_to_say(nncli: Cli, penguins: Path) -> None:
    table = b"".join(TABLE.read_bytes().splitlines(keepends=True)[:5])
    assert nncli("predict", penguins, "-", stdin=table).check().err == ""


def test_no_rows_in_are_no_rows_out(nncli: Cli, penguins: Path) -> None:
    done = nncli("predict", penguins, "-", "--keep", "sex", stdin=TABLE.read_bytes().splitlines(keepends=True)[0])
    assert done.check().out == "sex,prediction\n"


def big_table(bad_row: int | None) -> bytes:
    rows = ["x1,x2"]
    rows += ["0.5,oops" if number == bad_row else f"0.25,{number % 100}" for number in range(1, 150_001)]
    return "\n".join(rows).encode()


@pytest.mark.parametrize("row", [1, 65_537, 140_000])
def test_text_in_a_numeric_column_is_named_by_row_and_column(nncli: Cli, here: Path, line: Path, row: int) -> None:
    done = nncli("predict", line, "-", "-o", "out.csv", stdin=big_table(row)).check(4)
    assert f"row {row:,}, column 'x2'" in done.err
    assert "'oops' is not a number" in done.err
    assert list(here.iterdir()) == []


def test_no_row_of_a_large_table_is_lost(nncli: Cli, line: Path) -> None:
    done = nncli("predict", line, "-", "--keep", "x2", stdin=big_table(None)).check()
    kept = pl.read_csv(done.out.encode())["x2"]
    assert kept.equals(pl.Series("x2", [number % 100 for number in range(1, 150_001)]))


def test_an_existing_output_is_kept_unless_forced(nncli: Cli, here: Path, penguins: Path, expected: str) -> None:
    Path("o.csv").write_text("mine")
    assert "--force" in nncli("predict", penguins, TABLE, "-o", "o.csv").check(2).err
    assert Path("o.csv").read_text() == "mine"
    nncli("predict", penguins, TABLE, "-o", "o.csv", "--force", "--proba").check()
    assert Path("o.csv").read_text() == expected


def test_a_failed_prediction_leaves_the_old_output(nncli: Cli, here: Path, line: Path) -> None:
    Path("o.csv").write_text("mine")
    nncli("predict", line, "-", "-o", "o.csv", "--force", stdin=big_table(140_000)).check(4)
    assert Path("o.csv").read_text() == "mine"
    assert [p.name for p in here.iterdir()] == ["o.csv"]


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_in_the_middle_of_a_pipeline(penguins: Path, expected: str) -> None:
    line = 'cat "$TABLE" | "$@" | head -n 3'
    words = [*COMMAND, "predict", str(penguins), "--proba", "-q"]
    env = os.environ | {"TABLE": str(TABLE)}
    done = subprocess.run(["bash", "-c", line, "-", *words], capture_output=True, env=env, check=True, cwd=ROOT)
    assert done.stdout.decode().splitlines() == expected.splitlines()[:3]
    assert done.stderr == b""


# --- labels


LABELS = ["007", "7", "🐧", "trailing ", " leading", 'a "quoted", one', "two\nlines", "None", "true", "ß"]


def test_labels_come_back_byte_for_byte(nncli: Cli, here: Path) -> None:
    frame = pl.DataFrame({"x": [float(i) for i in range(len(LABELS))] * 6, "label": LABELS * 6})
    frame.write_csv("t.csv")
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: label}\nepochs: 150\nlearning_rate: 0.02\nvalidation: 0\nlayers: [64]\n"
    )
    path = nncli("train", "c.yaml", "-q").check().path
    nncli("predict", path, "t.csv", "--keep", "label", "--proba", "-o", "o.csv").check()
    back = read_table(Path("o.csv")).frame
    assert set(back["prediction"]) <= set(LABELS)
    assert share(back["prediction"], back["label"]) > 0.5
    assert {f"proba_{label}" for label in LABELS} <= set(back.columns)


@pytest.mark.parametrize("values", [[False, True], [3, 10], [-1, 1]], ids=str)
def test_booleans_and_whole_numbers_keep_their_type_in_parquet(
    nncli: Cli, here: Path, values: list[bool] | list[int]
) -> None:
    frame = pl.DataFrame({"x": [0.0, 1.0] * 40, "label": values * 40})
    frame.write_parquet("t.parquet")
    Path("c.yaml").write_text(
        "data: {path: t.parquet, target: label}\nloss: cross_entropy\nepochs: 30\nlearning_rate: 0.05\n"
        "members: 2\nworkers: 1"
    )
    path = nncli("train", "c.yaml", "-q").check().path
    nncli("predict", path, "t.parquet", "-o", "o.parquet").check()
    back = pl.read_parquet("o.parquet")["prediction"]
    assert back.equals(frame["label"].alias("prediction"))
    nncli("predict", path, "t.parquet", "-o", "o.csv").check()
    assert Path("o.csv").read_text().splitlines()[1:3] == [str(v).lower() for v in values]


def test_booleans_spelled_in_csv_are_labels_too(nncli: Cli, here: Path) -> None:
    Path("t.csv").write_text("x,label\n" + "0,TRUE\n1,FALSE\n" * 30)
    Path("c.yaml").write_text("data: {path: t.csv, target: label}\nmembers: 2\nworkers: 1\nepochs: 2")
    run_path = nncli("train", "c.yaml", "-q").check().path
    out = nncli("predict", run_path, "t.csv").check().out
    assert set(out.splitlines()[1:]) <= {"TRUE", "FALSE"}


def test_predictions_are_in_the_targets_own_units(here: Path) -> None:
    frame = pl.DataFrame({"x": [float(i % 17) for i in range(200)]}).with_columns(y=1e6 + 1000 * pl.col("x"))
    frame.write_csv("t.csv")
    Path("c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nepochs: 60\nlearning_rate: 0.05")
    back = predict(train("c.yaml").run, "t.csv")["prediction"]
    assert (back - frame["y"]).abs().max() < 100  # type: ignore[operator]


def test_how_a_table_was_read_is_said_on_stderr(nncli: Cli, here: Path, penguins: Path, expected: str) -> None:
    Path("t.csv").write_bytes(TABLE.read_bytes().replace(b",", b";").replace(b".", b","))
    done = nncli("predict", penguins, "t.csv", "--proba").check()
    assert done.out == expected
    assert done.err.startswith("note: t.csv: read with separator ';' and decimal comma\n")
    done = nncli("evaluate", penguins, "t.csv", "--json").check()
    assert done.err.startswith("note: t.csv: read with separator ';' and decimal comma\n")


SHEET = b'x1,x2,"=note",n\n0.5,0.5,=1+1,-3\n0.25,0.5,"@a,b",2\n'


def test_formulas_are_escaped_for_spreadsheets_when_asked_to(nncli: Cli, here: Path, line: Path) -> None:
    words = ("predict", line, "-", "--keep", "=note", "--keep", "n")
    plain = nncli(*words, stdin=SHEET).check().out
    assert plain.splitlines()[0] == '"=note","n","prediction"'
    assert [row.rsplit(",", 2)[:2] for row in plain.splitlines()[1:]] == [["=1+1", "-3"], ['"@a,b"', "2"]]
    safe = nncli(*words, "--escape-formulas", stdin=SHEET).check().out
    assert safe == plain.replace("=note", "'=note").replace("=1+1", "'=1+1").replace("@a,b", "'@a,b")
    nncli(*words, "--escape-formulas", "-o", "o.csv", stdin=SHEET).check()
    assert Path("o.csv").read_text() == safe


def test_text_predictions_are_escaped_too(nncli: Cli, here: Path) -> None:
    Path("t.csv").write_text("x,label\n" + "0,=A1\n1,-1\n" * 30)
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: label}\nepochs: 30\nmembers: 2\nworkers: 1\nlearning_rate: 0.05"
    )
    path = nncli("train", "c.yaml", "-q").check().path
    out = nncli("predict", path, "t.csv", "--proba", "--escape-formulas").check().out.splitlines()
    assert out[0] == '"prediction","proba_-1","proba_=A1"'
    assert {row.split(",")[0] for row in out[1:]} == {"'=A1", "-1"}


@pytest.mark.parametrize("words", [("-o", "o.parquet"), ("-o", "o.jsonl"), ("--format", "jsonl")], ids=" ".join)
def test_escaping_formulas_where_there_are_none_is_a_mistake(
    nncli: Cli, here: Path, line: Path, words: tuple[str, ...]
) -> None:
    done = nncli("predict", line, "-", "--escape-formulas", *words, stdin=SHEET).check(2)
    assert (done.out, list(here.iterdir())) == ("", [])
    assert "--escape-formulas" in done.err


def test_the_table_is_never_replaced_by_its_predictions(nncli: Cli, here: Path, penguins: Path) -> None:
    Path("t.csv").write_bytes(TABLE.read_bytes())
    Path("link.csv").symlink_to("t.csv")
    for name in ("t.csv", "./t.csv", "link.csv"):
        assert "replace the input table" in nncli("predict", penguins, "t.csv", "-o", name, "--force").check(2).err
    assert Path("t.csv").read_bytes() == TABLE.read_bytes()


def test_the_answers_go_into_a_table_of_a_database(nncli: Cli, penguins: Path, here: Path, expected: str) -> None:
    words = ("predict", "-q", penguins, TABLE, "--proba", "-o", "sqlite:///a.db", "--output-table", "answers")
    done = nncli(*words).check()
    assert (done.out, done.err) == ("", "")
    answers = TableSource(path="sqlite:///a.db", table="answers")
    single = pl.selectors.float().cast(pl.Float32)  # the precision of the training
    assert read_table(answers).frame.with_columns(single).equals(pl.read_csv(expected.encode()).with_columns(single))
    nncli(*words).check(2)
    nncli(*words, "--force").check()
    assert len(read_table(answers)) == 344
    nncli(*words, "--append").check()
    assert len(read_table(answers)) == 688
    told = nncli(*[word for word in words if word != "-q"], "--force").check().err
    assert "344 rows" in told
    nncli(*words, "--append").check()
    nncli(*words, "--append", "--keep", "island").check(4)
    assert len(read_table(answers)) == 688


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "a.csv", "--output-table", "t"),
        ("-o", "out/", "--output-table", "t"),
        ("-o", "out/", "--append"),
        ("-o", "sqlite:///a.db"),
        ("-o", "sqlite:///a.db", "--output-table", "t", "--escape-formulas"),
        ("--append",),
    ],
)
def test_options_of_a_database_are_refused_elsewhere(
    nncli: Cli, penguins: Path, here: Path, words: tuple[str, ...]
) -> None:
    nncli("predict", penguins, TABLE, *words).check(2)
    assert list(here.iterdir()) == []
