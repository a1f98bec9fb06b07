"""`nncli.drift`: tables, frames, batches and profiles, with and without labels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import drift, evaluate, train
from nncli.api.prediction.profile_file import ProfileFile, read_profile
from nncli.base.errors import DataError, RunError, UsageError
from nncli.models.read_table import table_of
from nncli.models.scores import headlines
from nncli.run_directory.filenames import REFERENCE
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.monitoring.profiler import Profile
from nncli.run_directory.run import Run
from tests.cli.support import DATA, Cli
from tests.run_directory.support import change_manifest, changed

TABLE = DATA / "penguins.csv"


def test_the_rows_of_the_training_table_have_no_drift(penguins: Path) -> None:
    result = drift(penguins, TABLE)
    (batch,) = result.batches
    assert not result.has_drift
    assert (batch.name, batch.comparison.rows) == ("all", 344)
    performance = batch.comparison.performance
    assert performance is not None
    assert performance.labeled == 344
    assert performance.estimated.accuracy == pytest.approx(performance.actual.accuracy, abs=0.05)
    assert [column.name for column in batch.comparison.predictions] == ["species", ""]


def test_a_moved_column_is_found_in_a_frame_without_labels(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""]).drop("species")
    moved = frame.with_columns(pl.col("body_mass_g") + 400)
    (batch,) = drift(penguins, moved).batches
    assert batch.comparison.columns[0].name == "body_mass_g"
    assert batch.comparison.columns[0].drifted == ("values",)
    assert batch.comparison.performance is not None
    assert batch.comparison.performance.labeled == 0


def test_predictions_of_numbers_are_compared(line: Path) -> None:
    (batch,) = drift(line, DATA / "linear.csv").batches
    assert batch.comparison.performance is None
    assert [column.name for column in batch.comparison.predictions] == ["y"]
    assert not batch.comparison.drifted


def test_labeled_rows_of_numbers_have_the_scores_of_evaluate(line: Path) -> None:
    (batch,) = drift(line, DATA / "linear.csv").batches
    assert batch.comparison.errors is not None
    scores = dict(headlines(evaluate(line, DATA / "linear.csv").scores))
    actual = batch.comparison.errors.actual["y"]
    assert actual == pytest.approx({name: scores[name] for name in ("rmse", "mae")}, rel=1e-6)
    frame = pl.read_csv(DATA / "linear.csv")
    unlabeled = drift(line, frame.drop("y"))
    assert unlabeled.batches[0].comparison.errors is None
    assert unlabeled.json()["batches"][0]["performance"] is None
    some = drift(line, frame.with_columns(y=pl.when(pl.int_range(pl.len()) < 5).then("y")))
    performance = some.json()["batches"][0]["performance"]
    assert (performance["labeled_rows"], [*performance["actual"]]) == (5, ["rmse", "mae"])


@pytest.mark.slow
def test_the_column_by_which_rows_are_split_in_time_is_not_compared(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(300)]
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"day": days, "x": rng.normal(size=300), "y": rng.normal(size=300)})
    frame[:200].write_csv(tmp_path / "t.csv")
    run = train(
        tmp_path / "t.csv", target="y", set=["data.time=day", "epochs=2", "members=1"], output=tmp_path / "run"
    ).run
    notes: list[str] = []
    result = drift(run, frame[200:], on_note=notes.append)
    (column,) = [column for column in result.batches[0].comparison.columns if column.name == "day"]
    assert (column.tests, result.time) == ((), "day")
    assert "day" not in [column.name for column in result.batches[0].comparison.drifted]
    assert any("'day' is not compared" in note for note in notes)


def test_batches_of_so_many_rows(penguins: Path) -> None:
    result = drift(penguins, TABLE, every=100)
    assert [batch.name for batch in result.batches] == ["1-100", "101-200", "201-300", "301-344"]
    assert [batch.comparison.rows for batch in result.batches] == [100, 100, 100, 44]
    assert result.has_drift  # the table is sorted by species


def test_batches_by_the_values_of_a_column(penguins: Path) -> None:
    result = drift(penguins, TABLE, by="island")
    assert [batch.name for batch in result.batches] == ["Biscoe", "Dream", "Torgersen"]
    assert sum(batch.comparison.rows for batch in result.batches) == 344
    assert all("island" not in [item.name for item in batch.comparison.drifted] for batch in result.batches)


def test_the_column_of_the_batches_is_not_compared(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""]).sample(fraction=1.0, shuffle=True, seed=1)
    notes: list[str] = []
    result = drift(penguins, frame, by="sex", on_note=notes.append)
    assert len(result.batches) == 3
    for batch in result.batches:
        (sex,) = (column for column in batch.comparison.columns if column.name == "sex")
        assert sex.tests == ()
    assert any("'sex' is not compared" in note for note in notes)
    assert not drift(penguins, frame.with_columns(month=pl.lit("May")), by="month").notes


def test_many_small_chunks_give_the_same(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drift(penguins, TABLE, every=150).json()
    monkeypatch.setattr("nncli.models.read_table.block_bytes", lambda _: 2_000)
    assert drift(penguins, TABLE, every=150).json() == whole


def test_profiles_add_up_to_the_table(nncli: Cli, here: Path, penguins: Path) -> None:
    frame = pl.read_csv(TABLE, infer_schema=False)
    frame[:100].write_csv("a.csv")
    frame[100:].write_csv("b.csv")
    nncli("predict", penguins, "a.csv", "-o", "a.out.csv", "--profile", "seen.json").check()
    nncli("predict", penguins, "b.csv", "-o", "b.out.csv", "--proba", "--profile", "seen.json").check()
    of_profile, of_table = drift(penguins, here / "seen.json").json(), drift(penguins, TABLE).json()
    assert (of_profile.pop("data"), of_table.pop("data")) == (str(here / "seen.json"), str(TABLE))
    assert of_profile == of_table
    plain = nncli("predict", penguins, "a.csv").check().out
    assert plain == (here / "a.out.csv").read_text()


def test_a_profile_of_another_run_is_refused(nncli: Cli, here: Path, penguins: Path, line: Path) -> None:
    nncli("predict", penguins, TABLE, "-o", "a.csv", "--profile", "seen.json").check()
    with pytest.raises(DataError, match="another run"):
        drift(line, here / "seen.json")
    done = nncli("predict", line, DATA / "linear.csv", "-o", "b.csv", "--profile", "seen.json")
    assert done.code == DataError.exit_code
    assert not (here / "b.csv").exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"nncli_profile": 1, "reference": 3}'])
def test_a_damaged_profile_is_refused(here: Path, penguins: Path, content: str) -> None:
    (here / "seen.json").write_text(content)
    with pytest.raises(DataError) as caught:
        drift(penguins, here / "seen.json")
    assert caught.value.location is not None
    assert caught.value.location.source == str(here / "seen.json")


def test_a_profile_that_is_not_there_is_refused(here: Path, penguins: Path) -> None:
    with pytest.raises(DataError):
        drift(penguins, here / "none.json")


def test_options_that_exclude_each_other_are_refused(nncli: Cli, here: Path, penguins: Path) -> None:
    nncli("predict", penguins, TABLE, "-o", "a.csv", "--profile", "seen.json").check()
    with pytest.raises(UsageError):
        drift(penguins, TABLE, every=5, by="island")
    with pytest.raises(UsageError):
        drift(penguins, TABLE, every=0)
    with pytest.raises(UsageError):
        drift(penguins, here / "seen.json", every=5)
    with pytest.raises(UsageError):
        drift(penguins, TABLE, limit=float("nan"))


def test_a_run_without_a_reference_is_refused(penguins: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(penguins, tmp_path / "run")
    (tmp_path / "run" / REFERENCE).unlink()
    with pytest.raises(RunError, match=f"{REFERENCE}.*was removed") as caught:
        drift(tmp_path / "run", TABLE)
    assert "train again" in str(caught.value.hint)
    files = {name: sha256 for name, sha256 in read_manifest(tmp_path / "run").files.items() if name != REFERENCE}
    change_manifest(tmp_path / "run", changed(files=files))
    with pytest.raises(RunError, match="older version") as caught:
        drift(tmp_path / "run", TABLE)
    assert "train again" in str(caught.value.hint)


def test_a_damaged_reference_is_refused(penguins: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(penguins, tmp_path / "run")
    path = tmp_path / "run" / REFERENCE
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(RunError, match="checksum"):
        drift(tmp_path / "run", TABLE)


def test_tables_that_do_not_fit_are_refused(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""])
    with pytest.raises(DataError, match="body_mass_g"):
        drift(penguins, frame.drop("body_mass_g"))
    with pytest.raises(DataError, match="no rows"):
        drift(penguins, frame[:0])
    with pytest.raises(DataError):
        drift(penguins, frame.with_columns(pl.lit("heavy").alias("body_mass_g")))
    with pytest.raises(DataError, match="colour"):
        drift(penguins, frame, by="colour")


def test_one_row_and_missing_cells_are_compared(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""])
    assert not drift(penguins, frame[:1]).has_drift
    result = drift(penguins, frame.with_columns(pl.lit(None, pl.Float64).alias("body_mass_g")))
    drifted = {column.name: column.drifted for column in result.batches[0].comparison.drifted}
    assert drifted["body_mass_g"] == ("missing",)


def test_too_many_batches_are_refused(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.api.prediction.profiles.MAX_BATCHES", 3)
    with pytest.raises(UsageError, match="batches"):
        drift(penguins, TABLE, every=10)


def test_the_reference_of_an_ensemble_counts_its_rows(penguins: Path) -> None:
    reference = Run.open(penguins).load_reference()
    assert reference is not None
    assert all(int(bins.counts.sum()) == reference.rows for bins in reference.columns)
    held_out = Run.open(penguins).load_held_out()
    assert held_out is not None
    assert reference.held_out == len(held_out)
    assert all(bins.counts.sum() == len(held_out) for bins in reference.predictions)


def test_rows_of_unknown_classes_are_counted(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""])
    emu = pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("Emu")).otherwise("species")
    others = frame.with_columns(emu.alias("species"))
    performance = drift(penguins, others).batches[0].comparison.performance
    assert performance is not None
    assert (performance.labeled, performance.unknown) == (339, 5)


def test_batches_by_numbers_and_missing_cells_have_their_names(penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""]).with_columns(pl.Series("store", [1.0, 2.5, None, 1.0] * 86))
    assert [batch.name for batch in drift(penguins, frame, by="store").batches] == ["(missing)", "1", "2.5"]
    lists = frame.with_columns(pl.concat_list("store").alias("store"))
    with pytest.raises(DataError, match="store"):
        drift(penguins, lists, by="store")


def test_two_writers_of_a_profile_lose_no_row(penguins: Path, tmp_path: Path) -> None:
    run = Run.open(penguins)
    model = run.load_model()
    file = ProfileFile.open(tmp_path / "seen.json", run, model)
    _, bins = file.profiler.predict(table_of(model, pl.read_csv(TABLE, null_values=["NA", ""])))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(file.add, [bins.profile()]) for _ in range(12)]:
            done.result()
    assert read_profile(file.path, file.profiler.reference).rows == 12 * 344


def test_rows_by_another_decision_are_not_added(penguins: Path, tmp_path: Path) -> None:
    run = Run.open(penguins)
    model = run.load_model()
    file = ProfileFile.open(tmp_path / "seen.json", run, model)
    profile = replace(Profile.empty(file.profiler.reference), decision="'yes' from a probability of 0.2 on")
    file.path.write_text(profile.to_json())
    with pytest.raises(DataError, match=r"0\.2"):
        ProfileFile.open(file.path, run, model)
    notes: list[str] = []
    with pytest.raises(DataError, match="no rows"):
        drift(penguins, file.path, on_note=notes.append)
    assert any("0.2" in note for note in notes)
