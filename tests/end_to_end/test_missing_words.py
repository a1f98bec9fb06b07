"""Words that a training read as missing cells are missing cells in every later reading with its model."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest

from nncli import evaluate, explain, export, load, predict, share, train
from nncli.base.errors import CellError
from nncli.data.dialect import CsvDialect
from nncli.serving.bodies.media_types import ContentType, MediaType
from nncli.serving.bodies.table_body import read_delimited_body
from nncli.serving.columns.row_reader import RowReader
from nncli.serving.models.served_model import ServedModel

N = 600
WORDS = {3: "k.A.", 200: "-inf", 300: "n/a"}
FRAME = pl.DataFrame(
    {
        "x": [WORDS.get(i, f"{i * 37 % 101 + 0.5}") for i in range(N)],
        "z": [f"{i * 13 % 17 + 0.25}" for i in range(N)],
        "y": ["withheld" if i == 7 else f"{i * 37 % 101 * 2}.5" for i in range(N)],
    }
)
EMPTY = FRAME.with_columns(x=pl.col("x").replace(list(WORDS.values()), None))


@pytest.fixture(scope="module", params=(1, 2))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    FRAME.write_csv(folder / "t.csv")
    keys = f"epochs: 1\nmembers: {request.param}\nlayers: [4]"
    (folder / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\n{keys}\n")
    return train(folder / "c.yaml", output=folder / "run").run


def test_the_words_are_recorded(run: Path) -> None:
    words = (("x", ("-inf", "k.A.", "n/a")), ("y", ("withheld",)))
    assert load(run).model.spec.dialect.missing_words == words
    assert CsvDialect.model_validate_json('{"decimal": "."}').missing_words == ()  # as older versions wrote it


@pytest.mark.parametrize("name", ["new.csv", "new.jsonl", "new.parquet", "numbers.parquet", ""])
def test_they_are_missing_in_files_and_frames(run: Path, tmp_path: Path, name: str) -> None:
    frame = FRAME.drop("y")
    if name == "numbers.parquet":
        frame = frame.with_columns(x=pl.col("x").replace(["k.A.", "n/a"], None).cast(pl.Float64))
    expected = predict(run, EMPTY, flag_unusual=True)
    if name:
        path = tmp_path / name
        writers: dict[str, Callable[[Path], object]] = {
            ".csv": frame.write_csv,
            ".jsonl": frame.write_ndjson,
            ".parquet": frame.write_parquet,
        }
        writers[path.suffix](path)
        assert predict(run, path, flag_unusual=True).equals(expected)
        return
    assert predict(run, frame, flag_unusual=True).equals(expected)
    kept = predict(run, frame[3:4], keep=["x"])
    assert kept["x"].to_list() == ["k.A."]
    assert kept["prediction"].to_list() == expected["prediction"][3:4].to_list()
    with pytest.raises(CellError):
        predict(run, frame[:2].with_columns(x=pl.lit("other")))
    with pytest.raises(CellError):
        predict(run, frame[:2].with_columns(z=pl.lit("k.A.")))  # a word of another column


def test_the_training_table_is_evaluated_and_explained(run: Path) -> None:
    assert evaluate(run, FRAME).rows == N - 1  # a row has no target
    assert explain(run, FRAME[:5]).explained_rows


def test_a_server_reads_them_as_missing(run: Path) -> None:
    served = ServedModel.load("m", run)
    expected = predict(run, EMPTY[:5])
    csv = ContentType(MediaType.CSV, "text/csv", "utf-8")
    body = read_delimited_body(FRAME[:5].drop("y").write_csv().encode(), csv, served.model, 100)
    assert served.model.predict(body).frame().equals(expected)
    rows = [{"x": "k.A." if x is None else float(x), "z": float(z)} for x, z in EMPTY[:5].select("x", "z").rows()]
    table = RowReader.of("m", served.model, served.schema).table(rows)
    assert served.model.predict(table).frame().equals(expected)


def test_exported_files_read_them_as_missing_and_refuse_other_words(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "m.py", to="python")
    module = runpy.run_path(str(tmp_path / "m.py"))
    columns = {name: FRAME[name].to_list() for name in ("x", "z")}
    assert module["predict"](columns)["prediction"].tolist() == predict(run, EMPTY)["prediction"].to_list()
    with pytest.raises(ValueError, match=r"'z': 'k\.A\.'"):
        module["predict"]({"x": "1.5", "z": "k.A."})


def test_a_shared_run_has_marks_of_missing_cells_but_no_other_words(run: Path, tmp_path: Path) -> None:
    share(run, tmp_path / "shared.zip")
    with ZipFile(tmp_path / "shared.zip") as archive:
        archive.extractall(tmp_path / "shared")
    shared = load(next((tmp_path / "shared").rglob("model.json")).parent).model.spec.dialect
    assert shared.missing_words == (("x", ("n/a",)),)
