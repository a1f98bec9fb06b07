"""Dates and free text all the way: from any format, through any way to train, into any way to predict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, predict, train
from nncli.api.init import draft
from nncli.base.errors import CellError, DataError
from nncli.config.loading import load_config
from nncli.data.encoders.column_types import ColumnType
from nncli.fitting.prepare.prepare import prepare
from nncli.models.model import Model
from nncli.run_directory.manifest import CONFIG, WEIGHTS
from nncli.run_directory.run import Run
from tests.assertions import lines, raises

N = 120


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """A target that follows from the hour, the day and a word."""
    rng = np.random.default_rng(3)
    hours = rng.integers(0, 24 * 400, N).tolist()
    adjectives = rng.integers(0, 3, N)
    moments = [datetime(2023, 11, 1) + timedelta(hours=h) for h in hours]
    return pl.DataFrame(
        {
            "when": [None if i % 30 == 7 else m for i, m in enumerate(moments)],
            "day": [m.date() for m in moments],
            "said": [f"a {('good', 'bad', 'big')[a]} thing no. {i}" for i, a in enumerate(adjectives.tolist())],
            "y": [np.sin(m.hour / 12 * np.pi) + a for m, a in zip(moments, adjectives, strict=True)],
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, table: pl.DataFrame) -> Path:
    home = tmp_path_factory.mktemp("kinds")
    table.write_csv(home / "t.csv")
    table.write_parquet(home / "t.parquet")
    table.write_ndjson(home / "t.jsonl")
    return home


@pytest.fixture
def config(home: Path) -> Callable[..., Path]:
    def write(data: str = "", path: str = "t.csv", more: str = "epochs: 30") -> Path:
        file = home / "c.yaml"
        file.write_text(
            f"data: {{path: {path}, target: y{data}}}\nlayers: [8]\noptimizer: adam\nlearning_rate: 0.02\n{more}\n"
        )
        return file

    return write


def bits(run: Path) -> bytes:
    return (run / WEIGHTS).read_bytes()


def test_the_trained_model_does_not_depend_on_the_file_format(
    config: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    runs = [train(config(path=f"t.{kind}"), output=tmp_path / kind).run for kind in ("csv", "parquet", "jsonl")]
    assert len({bits(run) for run in runs}) == 1
    answers = [predict(run, home / f"t.{kind}")["prediction"] for run in runs for kind in ("csv", "parquet", "jsonl")]
    assert all(answer.equals(answers[0]) for answer in answers)
    (scores,) = evaluate(runs[0], home / "t.parquet").scores  # type: ignore[misc]
    assert not np.isnan(scores["r2"])
    assert scores["r2"] > 0.8
    columns = load_config(runs[0] / CONFIG).data.columns
    assert columns == {"when": ColumnType.DATE, "day": ColumnType.DATE, "said": ColumnType.TEXT}


def test_a_resumed_training_and_one_from_disk_end_in_the_same_bits(config: Callable[..., Path], tmp_path: Path) -> None:
    longer = train(config(), output=tmp_path / "whole").run
    part = train(config(), set=["epochs=10"], output=tmp_path / "part").run
    small = train(config(), set=["memory_limit=1 KB"], output=tmp_path / "small").run
    assert bits(train(resume=part, set=["epochs=30"]).run) == bits(small) == bits(longer)
    assert bits(train(longer / CONFIG, output=tmp_path / "again").run) == bits(longer)


def test_members_may_see_different_parts_of_a_date(
    config: Callable[..., Path], home: Path, tmp_path: Path, table: pl.DataFrame
) -> None:
    """Only the rows of one fold are of another year."""
    run = train(config(more="epochs: 2\nmembers: 3\nworkers: 1"), output=tmp_path / "run").run
    assert len(predict(run, home / "t.csv")) == len(table)
    few = table.with_columns(
        day=pl.when(pl.int_range(pl.len()) == 0).then(date(2022, 1, 1)).otherwise(date(2023, 1, 1))
    )
    few.write_csv(home / "few.csv")
    run = train(config(path="few.csv", more="epochs: 2\nmembers: 3\nworkers: 1"), output=tmp_path / "few").run
    assert len(predict(run, home / "few.csv")) == len(few)


def test_a_date_column_with_one_bad_cell_is_refused_with_its_row(config: Callable[..., Path], home: Path) -> None:
    days = [f"2024-01-{1 + i % 28:02}" for i in range(40)]
    frame = pl.DataFrame({"when": [*days[:7], "soon", *days[8:]], "y": range(40)})
    frame.write_csv(home / "odd.csv")
    with raises(DataError, file="odd.csv", row=8, column="when", mentions="'soon'"):
        prepare(load_config(config(", features: [when]", "odd.csv", "epochs: 1\nvalidation: 0")))
    notes = lines(prepare(load_config(config(', missing_values: ["soon"]', "odd.csv", "epochs: 1"))).findings)
    assert not [note for note in notes if "data.time=when" not in note]


def test_ambiguous_dates_are_noted_until_date_format_is_set(config: Callable[..., Path], home: Path) -> None:
    days = [f"{1 + i % 12:02}/{1 + i % 11:02}/2024" for i in range(40)]
    pl.DataFrame({"when": days, "y": range(40)}).write_csv(home / "twice.csv")
    path = config("", "twice.csv", "epochs: 1\nvalidation: 0")
    prepared = prepare(load_config(path))
    assert prepared.config.data.columns == {"when": ColumnType.CATEGORICAL}
    assert any(note.startswith("'when'") for note in lines(prepared.findings))
    for form in ("%d/%m/%Y", "%m/%d/%Y"):
        prepared = prepare(load_config(path, [f"data.date_format='{form}'"]))
        assert prepared.config.data.columns == {"when": ColumnType.DATE}
        (column,) = prepared.spec.encoder.columns
        assert column.type == "date"
        assert (column.date_format, lines(prepared.findings)) == (form, ())
        assert prepared.config.data.date_format == form
        assert prepared.spec.dialect.date_format == form
    with raises(DataError, file="twice.csv", row=1, column="when"):
        prepare(load_config(path, ["data.columns={when: date}"]))


def test_integers_are_dates_only_when_configured(config: Callable[..., Path], home: Path) -> None:
    pl.DataFrame({"when": [20240101 + i for i in range(28)], "y": range(28)}).write_csv(home / "numbers.csv")
    path = config("", "numbers.csv", "epochs: 1\nvalidation: 0")
    assert prepare(load_config(path)).config.data.columns == {"when": ColumnType.NUMERIC}
    predictions = prepare(load_config(path, ["data.columns={when: date}", "data.date_format='%Y%m%d'"]))
    assert predictions.spec.encoder.features == ("when: days", "when: weekday, sine", "when: weekday, cosine")


def test_max_text_features_sets_the_width_of_a_text_column(config: Callable[..., Path]) -> None:
    encoder = prepare(load_config(config(", features: [said]"), ["encoding.max_text_features=2"])).spec.encoder
    assert encoder.width == 2


def test_uninformative_columns_are_noted(config: Callable[..., Path], home: Path) -> None:
    frame = pl.DataFrame(
        {"id": [f"id{i}" for i in range(60)], "said": [f"x{i} y{i} z{i}" for i in range(60)], "y": range(60)}
    )
    frame.write_csv(home / "ids.csv")
    of_ids, of_texts = lines(prepare(load_config(config("", "ids.csv", "epochs: 1\nvalidation: 0"))).findings)
    assert of_ids.startswith("'id' ")
    assert "drop" in of_ids
    assert "'said'" in of_texts


def test_a_target_of_dates_means_classification(config: Callable[..., Path], home: Path) -> None:
    frame = pl.DataFrame({"x": range(40), "y": [f"2024-01-0{1 + i % 2}" for i in range(40)]})
    frame.write_csv(home / "days.csv")
    prepared = prepare(load_config(config("", "days.csv", "epochs: 1")))
    assert prepared.spec.target.task == "classification"
    (finding,) = [finding for finding in prepared.findings if finding.level == "warning"]
    assert (finding.code, finding.location.column) == ("target-of-dates", "y")
    assert finding in draft(home / "days.csv", "y").findings


def test_a_currency_column_is_trained_predicted_and_evaluated(tmp_path: Path) -> None:
    rows = [f'"${1000 + 37 * i:,}",{i % 50} %,"€{1.5 * i:.2f}"' for i in range(N)]
    (tmp_path / "t.csv").write_text("\n".join(["price,share,y", *rows]) + "\n")
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: {{path: t.csv, target: y, thousands: ','}}\nlayers: [8]\nepochs: 5\noutput: {tmp_path}/run\n"
    )
    result = train(config)
    model = Run.open(result.run).load_model()
    assert isinstance(model, Model)
    assert [column.unit for column in model.spec.encoder.columns if column.type == "numeric"] == ["$", "%"]
    assert model.spec.target.task == "regression"
    assert model.spec.target.units == ("€",)
    assert evaluate(result.run, tmp_path / "t.csv").rows == N
    predictions = predict(result.run, tmp_path / "t.csv")["prediction"].to_numpy()
    typed = pl.DataFrame({"price": [1000.0 + 37 * i for i in range(N)], "share": [float(i % 50) for i in range(N)]})
    np.testing.assert_array_equal(predict(result.run, typed)["prediction"].to_numpy(), predictions)
    (tmp_path / "other.csv").write_text('price,share\n"€1,000",5 %\n')
    with raises(CellError, file="other.csv", row=1, column="price", mentions="'€1,000'"):
        predict(result.run, tmp_path / "other.csv")
