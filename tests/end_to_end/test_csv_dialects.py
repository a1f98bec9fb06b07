"""Tables written in other ways, from `train` to `predict` and `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, predict, train
from nncli.commands.predict import predict_chunks
from nncli.config.schema import Config
from nncli.data.dialect import CsvDialect
from nncli.errors import DataError
from nncli.pipeline.prepare.notes import similar_categories
from nncli.pipeline.prepare.prepare import PreparedTraining, prepare
from nncli.runs.run import Run

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
    # how it is written, in which encoding, what is told, and what of it the model remembers
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


@pytest.mark.parametrize(("name", "encoding", "told", "remembered"), DIALECTS, ids=[name for name, *_ in DIALECTS])
def test_the_same_table_in_another_dialect_is_the_same_table(
    tmp_path: Path, plain: PreparedTraining, name: str, encoding: str, told: dict[str, str], remembered: dict[str, str]
) -> None:
    other = prepared(tmp_path, TEXTS[name], encoding, **told)
    assert other.training.dataset.X.tobytes() == plain.training.dataset.X.tobytes()
    assert np.array_equal(other.training.y, plain.training.y)
    assert other.spec.dialect == CsvDialect(**remembered, encoding=told.get("encoding", "auto"))
    assert other.config.data.dialect == other.spec.dialect
    again = prepare(other.config)
    assert again.training.dataset.X.tobytes() == other.training.dataset.X.tobytes()


def test_what_was_found_out_is_said(tmp_path: Path) -> None:
    notes = prepared(tmp_path, TEXTS["semicolon"], "utf-16").notes
    assert notes == (f"{tmp_path / 't.csv'}: read with encoding utf-16, separator ';' and decimal comma",)
    assert prepared(tmp_path, TEXTS["plain"]).notes == ()


def test_what_was_told_is_not_said(tmp_path: Path) -> None:
    assert prepared(tmp_path, TEXTS["semicolon"], decimal=",", separator=";").notes == ()


def test_validation_rows_may_be_written_in_another_way(tmp_path: Path, plain: PreparedTraining) -> None:
    for name in ("plain", "semicolon"):
        (tmp_path / f"{name}.csv").write_text(TEXTS[name], "utf-8")
    whole = config(tmp_path / "plain.csv").model_dump() | {"validation": {"path": str(tmp_path / "semicolon.csv")}}
    both = prepare(Config.model_validate(whole))
    assert both.validation is not None
    assert both.validation.dataset.X.tobytes() == both.training.dataset.X.tobytes()
    assert both.config.data.dialect == CsvDialect()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name, encoding, told, _ in DIALECTS:
        (folder / f"{name}.csv").write_bytes(TEXTS[name].encode(encoding))
        made[name] = train(config(folder / f"{name}.csv", **told), output=folder / name).run
    return made


@pytest.mark.parametrize("trained", [name for name, *_ in DIALECTS])
@pytest.mark.parametrize(("name", "encoding"), [(name, encoding) for name, encoding, *_ in DIALECTS])
def test_every_model_reads_every_table_alike_or_refuses_it(
    tmp_path: Path, runs: dict[str, Path], trained: str, name: str, encoding: str
) -> None:
    expected = predict(runs["plain"], runs["plain"].parent / "plain.csv")
    (tmp_path / "new.csv").write_bytes(TEXTS[name].encode(encoding))
    try:
        assert predict(runs[trained], tmp_path / "new.csv").equals(expected)
        assert evaluate(runs[trained], tmp_path / "new.csv").rows == len(ROWS)
    except DataError as error:
        assert name != trained
        assert "not a number" in error.message or "not UTF-8" in error.message  # noqa: PT017


def test_a_row_alone_is_read_as_in_company_or_refused(tmp_path: Path, runs: dict[str, Path]) -> None:
    names, *rows = TEXTS["semicolon"].splitlines()
    whole = predict(runs["semicolon"], runs["semicolon"].parent / "semicolon.csv")["prediction"].to_list()
    for number, row in enumerate(rows[:12]):
        (tmp_path / "one.csv").write_text(f"{names}\n{row}\n", "utf-8")
        assert predict(runs["semicolon"], tmp_path / "one.csv")["prediction"].to_list() == [whole[number]]


def test_a_frame_of_text_is_read_as_the_model_was_trained(runs: dict[str, Path]) -> None:
    frame = pl.DataFrame([line.split(";") for line in TEXTS["german"].splitlines()[1:]], schema=NAMES, orient="row")
    expected = predict(runs["german"], runs["german"].parent / "german.csv")
    assert predict(runs["german"], frame).equals(expected)
    with pytest.raises(DataError, match="not a number"):
        predict(runs["plain"], frame)


def test_notes_are_told_once(tmp_path: Path, runs: dict[str, Path]) -> None:
    path = tmp_path / "new.csv"
    path.write_text(TEXTS["semicolon"].replace("\n", "\n\n"), "utf-8")
    told: list[str] = []
    assert sum(map(len, predict_chunks(Run.open(runs["plain"]).load_model(), path, tell=told.append))) == len(ROWS)
    expected = [
        f"{path}: read with separator ';' and decimal comma",
        f"{path}: skipped 60 blank lines",
    ]
    assert told == [*expected, "1 value lies outside the training range ('width': 1 (min 0))"]
    assert evaluate(runs["plain"], path).notes == tuple(expected)


def test_ids_that_numbers_cannot_hold_are_refused_as_features_but_may_be_classes(tmp_path: Path) -> None:
    rows = "".join(f"900719925474099{i % 2 + 2},{i}\n" for i in range(20))
    with pytest.raises(DataError, match="is it an id"):
        prepared(tmp_path, "id,y\n" + rows)
    text = "y,x\n" + rows
    with pytest.raises(DataError, match="is it an id"):
        prepared(tmp_path, text)
    (tmp_path / "t.csv").write_text(text, "utf-8")
    whole = config(tmp_path / "t.csv").model_dump() | {"loss": {"type": "cross_entropy"}}
    assert prepare(Config.model_validate(whole)).spec.target.labels == ("9007199254740992", "9007199254740993")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("categories", "note"),
    [
        (["True", "true", "false"], "column 'x': 'True' and 'true' are spelled alike; each is a category of its own"),
        (["a", "a ", "B", "b"], "column 'x': 'a' and 'a ' are spelled alike, and 1 more such; each is"),
        (["yes", "no", "1"], "column 'x' spells yes and no as '1', 'no' and 'yes'; each is a category of its own"),
        (["yes", "no"], None),
        (["0", "1"], None),
        (["yes", "no", "maybe"], None),
        ([], None),
    ],
)
def test_categories_that_seem_to_be_the_same_are_noted(categories: list[str], note: str | None) -> None:
    said = similar_categories("x", categories)
    assert said == note if note is None else str(said).startswith(note)


def test_booleans_in_every_spelling_are_categories_and_mixtures_are_noted(tmp_path: Path) -> None:
    for pair in ("true false", "True False", "yes no", "t f", "T F"):
        one, other = pair.split()
        rows = "".join(f"{one if i % 2 else other},{i / 2}\n" for i in range(20))
        made = prepared(tmp_path, "x,y\n" + rows)
        assert (made.config.data.columns, made.notes) == ({"x": "categorical"}, ())
    rows = "".join(f"{('true', 'True', 'FALSE')[i % 3]},{i / 2}\n" for i in range(30))
    assert "are spelled alike" in str(prepared(tmp_path, "x,y\n" + rows).notes)
