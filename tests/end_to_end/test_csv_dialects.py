"""Tables written in other ways, from `train` to `predict` and `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, predict, train
from nncli.api.options import PredictOptions
from nncli.api.prediction.tables import predict_source
from nncli.base.errors import CellError, DataError
from nncli.config.schema import Config
from nncli.data.dialect import CsvDialect
from nncli.fitting.checks.notes import similar_categories
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.run_directory.run import Run
from tests.assertions import lines, raises

ROWS: list[tuple[object, ...]] = [(i / 7, (i % 5) * 1234.5, "north" if i % 3 else "süd", i / 3) for i in range(60)]
NAMES = ("width", "price", "town", "y")


def written(*, separator: str = ",", decimal: str = ".", thousands: str = "", end: str = "\n") -> str:
    def spelled(value: object) -> str:
        if not isinstance(value, float):
            return str(value)
        marks = str.maketrans({",": thousands, ".": decimal})
        return f"{value:,.4f}".translate(marks)

    def quoted(cell: str) -> str:
        return f'"{cell}"' if separator in cell else cell

    lines = [NAMES, *(tuple(map(spelled, row)) for row in ROWS)]
    return "".join(separator.join(map(quoted, line)) + end for line in lines)


DIALECTS: list[tuple[str, str, dict[str, str], dict[str, str]]] = [
    # name, encoding, configured options, and the dialect stored in the model
    ("plain", "utf-8", {}, {"separator": ",", "decimal": "."}),
    ("semicolon", "utf-16", {}, {"separator": ";", "decimal": ","}),
    (
        "german",
        "latin-1",
        {"encoding": "latin-1", "thousands": "."},
        {"separator": ";", "decimal": ",", "thousands": "."},
    ),
    ("tabs", "utf-8-sig", {}, {"separator": "\t", "decimal": "."}),
    ("english", "utf-8", {"thousands": ","}, {"separator": ",", "decimal": ".", "thousands": ","}),
    ("mac", "utf-8", {}, {"separator": "|", "decimal": "."}),
]
TEXTS = {
    "plain": written(),
    "semicolon": written(separator=";", decimal=","),
    "german": written(separator=";", decimal=",", thousands="."),
    "tabs": written(separator="\t"),
    "english": written(thousands=","),
    "mac": written(separator="|", end="\r"),
}


def config(path: Path, **data: Any) -> Config:
    return Config.model_validate(
        {"data": {"path": str(path), "target": "y", **data}, "epochs": 3, "layers": [{"type": "dense", "units": 4}]}
    )


def prepared(folder: Path, text: str, encoding: str = "utf-8", /, **data: Any) -> PreparedTraining:
    (folder / "t.csv").write_bytes(text.encode(encoding))
    return prepare(config(folder / "t.csv", **data))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> PreparedTraining:
    return prepared(tmp_path_factory.mktemp("plain"), TEXTS["plain"])


@pytest.mark.parametrize(("name", "encoding", "options", "dialect"), DIALECTS, ids=[name for name, *_ in DIALECTS])
def test_a_table_is_read_the_same_in_every_dialect(
    tmp_path: Path, plain: PreparedTraining, name: str, encoding: str, options: dict[str, str], dialect: dict[str, str]
) -> None:
    other = prepared(tmp_path, TEXTS[name], encoding, **options)
    assert other.training.dataset.X.tobytes() == plain.training.dataset.X.tobytes()
    assert np.array_equal(other.training.y, plain.training.y)
    assert other.spec.dialect == CsvDialect(**dialect, encoding=options.get("encoding", "auto"))
    assert other.config.data.dialect == other.spec.dialect
    again = prepare(other.config)
    assert again.training.dataset.X.tobytes() == other.training.dataset.X.tobytes()


def test_a_detected_dialect_is_noted(tmp_path: Path) -> None:
    (note,) = lines(prepared(tmp_path, TEXTS["semicolon"], "utf-16").findings)
    assert all(name in note for name in (str(tmp_path / "t.csv"), "utf-16", "';'"))
    assert prepared(tmp_path, TEXTS["plain"]).findings == ()


def test_a_configured_dialect_is_not_noted(tmp_path: Path) -> None:
    assert prepared(tmp_path, TEXTS["semicolon"], decimal=",", separator=";").findings == ()


def test_a_validation_file_may_have_another_dialect(tmp_path: Path, plain: PreparedTraining) -> None:
    for name in ("plain", "semicolon"):
        (tmp_path / f"{name}.csv").write_text(TEXTS[name], "utf-8")
    complete = config(tmp_path / "plain.csv").model_dump() | {"validation": {"path": str(tmp_path / "semicolon.csv")}}
    both = prepare(Config.model_validate(complete))
    assert both.validation is not None
    assert both.validation.dataset.X.tobytes() == both.training.dataset.X.tobytes()
    assert both.config.data.dialect == CsvDialect()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    prepared_tables = {}
    for name, encoding, options, _ in DIALECTS:
        (folder / f"{name}.csv").write_bytes(TEXTS[name].encode(encoding))
        prepared_tables[name] = train(config(folder / f"{name}.csv", **options), output=folder / name).run
    return prepared_tables


@pytest.mark.parametrize("trained", [name for name, *_ in DIALECTS])
@pytest.mark.parametrize(("name", "encoding"), [(name, encoding) for name, encoding, *_ in DIALECTS])
def test_a_table_in_another_dialect_gets_the_same_predictions_or_an_error(
    tmp_path: Path, runs: dict[str, Path], trained: str, name: str, encoding: str
) -> None:
    expected = predict(runs["plain"], runs["plain"].parent / "plain.csv")
    (tmp_path / "new.csv").write_bytes(TEXTS[name].encode(encoding))
    try:
        assert predict(runs[trained], tmp_path / "new.csv").equals(expected)
        assert evaluate(runs[trained], tmp_path / "new.csv").rows == len(ROWS)
    except DataError as error:
        assert name != trained
        assert error.location  # noqa: PT017
        assert error.location.source == str(tmp_path / "new.csv")  # noqa: PT017


def test_a_single_row_gets_the_prediction_it_has_in_the_table(tmp_path: Path, runs: dict[str, Path]) -> None:
    names, *rows = TEXTS["semicolon"].splitlines()
    complete = predict(runs["semicolon"], runs["semicolon"].parent / "semicolon.csv")["prediction"].to_list()
    for number, row in enumerate(rows[:12]):
        (tmp_path / "one.csv").write_text(f"{names}\n{row}\n", "utf-8")
        assert predict(runs["semicolon"], tmp_path / "one.csv")["prediction"].to_list() == [complete[number]]


def test_a_frame_of_text_is_read_as_the_model_was_trained(runs: dict[str, Path]) -> None:
    frame = pl.DataFrame([line.split(";") for line in TEXTS["german"].splitlines()[1:]], schema=NAMES, orient="row")
    expected = predict(runs["german"], runs["german"].parent / "german.csv")
    assert predict(runs["german"], frame).equals(expected)
    with raises(CellError, file="the frame", row=1, column="width", mentions="0,0000"):
        predict(runs["plain"], frame)


def test_each_note_comes_once(tmp_path: Path, runs: dict[str, Path]) -> None:
    path = tmp_path / "new.csv"
    path.write_text(TEXTS["semicolon"].replace("\n", "\n\n"), "utf-8")
    notes: list[str] = []
    assert sum(
        map(len, predict_source(Run.open(runs["plain"]).load_model(), path, PredictOptions(on_note=notes.append)))
    ) == len(ROWS)
    dialect, blank_lines, out_of_range = notes
    assert "';'" in dialect
    assert "60" in blank_lines
    assert "'width'" in out_of_range
    assert evaluate(runs["plain"], path).notes[:2] == (dialect, blank_lines)  # then that the model is no better


def test_ids_beyond_float64_are_refused_as_features_and_allowed_as_classes(tmp_path: Path) -> None:
    rows = "".join(f"900719925474099{i % 2 + 2},{i}\n" for i in range(20))
    with raises(DataError, file="t.csv", row=2, column="id"):
        prepared(tmp_path, "id,y\n" + rows)
    text = "y,x\n" + rows
    with raises(DataError, file="t.csv", row=2, column="y"):
        prepared(tmp_path, text)
    (tmp_path / "t.csv").write_text(text, "utf-8")
    complete = config(tmp_path / "t.csv").model_dump() | {"loss": {"type": "cross_entropy"}}
    assert prepare(Config.model_validate(complete)).spec.target.labels == ("9007199254740992", "9007199254740993")


@pytest.mark.parametrize(
    ("categories", "named"),
    [
        (["True", "true", "false"], ("'x'", "'True' and 'true'")),
        (["a", "a ", "B", "b"], ("'x'", "'a' and 'a '", "1 more")),
        (["yes", "no", "1"], ("'x'", "'1', 'no' and 'yes'")),
        (["yes", "no"], ()),
        (["0", "1"], ()),
        (["yes", "no", "maybe"], ()),
        ([], ()),
    ],
)
def test_categories_with_similar_spelling_are_noted(categories: list[str], named: tuple[str, ...]) -> None:
    note = similar_categories("x", categories)
    assert (note is not None) == bool(named)
    assert all(name in str(note) for name in named)


def test_booleans_are_categories_and_mixed_spellings_are_noted(tmp_path: Path) -> None:
    for pair in ("true false", "True False", "yes no", "t f", "T F"):
        first, other = pair.split()
        rows = "".join(f"{first if i % 2 else other},{i / 2}\n" for i in range(20))
        prepared_tables = prepared(tmp_path, "x,y\n" + rows)
        assert (prepared_tables.config.data.columns, prepared_tables.findings) == ({"x": "categorical"}, ())
    rows = "".join(f"{('true', 'True', 'FALSE')[i % 3]},{i / 2}\n" for i in range(30))
    (note,) = lines(prepared(tmp_path, "x,y\n" + rows).findings)
    assert "'x'" in note
