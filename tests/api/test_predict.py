"""`predict` and `evaluate` as functions."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli import evaluate, predict
from nncli.api.options import PredictOptions
from nncli.api.prediction.tables import predict_source, predict_whole_table
from nncli.base.errors import CellError, DataError, RunError, UsageError
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.formats.read_options import BLOCK_BYTES
from nncli.data.sources.read_table import read_chunks
from nncli.models.ensemble import Ensemble
from nncli.models.read_table import block_bytes
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import ClassificationScores
from tests.api.explained import ensemble_of, model_of
from tests.assertions import raises
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"


def test_a_frame_and_a_file_get_the_same_predictions(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA"])
    assert predict(penguins, frame, proba=True).equals(predict(penguins, TABLE, proba=True))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 400), block=st.integers(200, 20_000))
def test_predictions_do_not_depend_on_the_chunk_size(penguins: Path, rows: int, block: int) -> None:
    model = Run.open(penguins).load_model()
    chunks = read_chunks(TABLE, missing_values=("", "NA"), rows=rows, block_bytes=block)
    frames = [predict_whole_table(model, chunk, PredictOptions(proba=True, keep=["sex"]))[0] for chunk in chunks]
    assert pl.concat(frames).equals(predict(penguins, TABLE, proba=True, keep=["sex"]))


@pytest.mark.slow
def test_a_column_may_change_from_whole_numbers_to_fractions_between_chunks(line: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"x1": 0.5, "x2": {n % 7}, "more": "{"x" * 200}"}}\n' for n in range(60_000))
        file.write('{"x1": 0.5, "x2": 0.25, "more": "y"}\n')
    answers = predict(line, path, keep=["x2"])
    assert answers.height == 60_001
    assert answers["x2"][-1] == 0.25


@pytest.mark.slow
@pytest.mark.parametrize("bad", [5, 60_000])
def test_an_invalid_row_is_located_after_the_chunks_before_it(line: Path, tmp_path: Path, bad: int) -> None:
    path, notes = tmp_path / "t.txt", list[str]()
    with path.open("w") as file:
        file.write("x1;x2;more\n")
        file.writelines(f"0,5;{'?' if n == bad else n};{'x' * 300}\n" for n in range(1, 100_001))
    frames: list[int] = []
    with raises(CellError, file="t.txt", row=bad, column="x2"):
        frames.extend(map(len, predict_source(Run.open(line).load_model(), path, PredictOptions(on_note=notes.append))))
    assert (sum(frames) > 0) == (bad == 60_000)
    assert sum(frames) < bad
    assert len(notes) == 1  # the decimal comma was detected


def test_invalid_calls_are_errors(penguins: Path, line: Path) -> None:
    with pytest.raises(RunError):
        predict(penguins / "nothing", TABLE)
    with pytest.raises(UsageError):
        predict(line, DATA / "linear.csv", proba=True)
    with raises(DataError, file="the frame", mentions="'x2'"):
        predict(line, pl.DataFrame({"x1": [1.0]}))
    with pytest.raises(RunError):
        evaluate(penguins / "nothing", TABLE)


def test_a_value_beyond_float32_is_an_error(line: Path) -> None:
    with raises(CellError, file="the frame", row=1, column="x1", mentions="1e+300"):
        predict(line, pl.DataFrame({"x1": [1e300], "x2": [0.0]}))


def test_unexpected_values_are_one_note_after_the_last_row(penguins: Path, tmp_path: Path) -> None:
    unexpected = pl.read_csv(TABLE, infer_schema=False).with_columns(
        island=pl.lit("Atlantis"), body_mass_g=pl.lit("1"), bill_depth_mm=pl.lit("17"), flipper_length_mm=pl.lit("200")
    )
    pl.concat([unexpected] * 200).with_columns(bill_length_mm=pl.lit("40")).write_csv(tmp_path / "t.csv")
    model = Run.open(penguins).load_model()
    messages: list[str] = []
    frames = [
        len(frame) for frame in predict_source(model, tmp_path / "t.csv", PredictOptions(on_note=messages.append))
    ]
    assert len(frames) > 1
    assert messages == [
        "68,800 cells hold a category that training never saw ('island': 68,800); "
        "68,800 values lie outside the training range ('body_mass_g': 68,800 (new minimum 1))"
    ]


def test_a_frame_and_a_file_get_the_same_notes(penguins: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA"]).with_columns(sex=pl.lit("?"), body_mass_g=pl.lit(99_999))
    frame.write_csv(tmp_path / "t.csv")
    of_frame: list[str] = []
    of_file: list[str] = []
    answers = predict(penguins, frame, on_note=of_frame.append)
    assert predict(penguins, tmp_path / "t.csv", on_note=of_file.append).equals(answers)
    assert of_frame == of_file == [evaluate(penguins, frame).anomalies.note]


def test_evaluate_counts_the_rows_that_it_scores(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA"]).with_columns(island=pl.lit("Atlantis"))
    labeled = frame.with_columns(species=pl.when(pl.int_range(pl.len()) >= 100).then("species"))
    assert evaluate(penguins, labeled).anomalies.columns["island"] == ColumnAnomalies(unseen=244)


def test_evaluate_gives_scores(penguins: Path) -> None:
    evaluation = evaluate(penguins, TABLE)
    assert isinstance(evaluation.scores, ClassificationScores)
    assert evaluation.scores["accuracy"] > 0.95
    assert (evaluation.rows, evaluation.skipped) == (344, 0)
    frame = pl.read_csv(TABLE, null_values=["NA"])
    assert evaluate(penguins, frame).json() == evaluation.json()


def test_objects_without_keys_have_no_columns(line: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("{}\n" * 5)
    for command in (predict, evaluate):
        with raises(DataError, file="t.jsonl", mentions="x1" if command is predict else "y"):
            command(line, path)
    path.write_text('{"x1": 1, "x2": 2, "y": 3}\n' + "{}\n" * 5)
    assert predict(line, path).height == 6
    path.write_text("{}\n" * 5 + '{"x1": 1, "x2": 2, "y": 3}\n')
    assert predict(line, path).height == 6
    assert evaluate(line, path).rows == 1


def test_an_ensemble_predicts_smaller_blocks_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    model, member = ensemble_of(model_of(), model_of(seed=1)), model_of()
    assert block_bytes(member) == BLOCK_BYTES
    for columns, megabytes in ((1, 1.0), (12, 1.0), (32, 2.5), (103, 8.0), (20_000, 8.0)):
        monkeypatch.setattr(Ensemble, "names", [str(i) for i in range(columns)])
        assert block_bytes(model) == pytest.approx(megabytes * 2**20, rel=0.02)
