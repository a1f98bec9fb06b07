"""Splitting rows in time: the column stays a feature, notes say how rows are split, and older runs stay as they are."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate, evaluate, train
from nncli.config.loading import load_config
from nncli.config.yaml.writer import dump
from nncli.fitting.train.provenance import fingerprint, recorded_execution
from nncli.run_directory.filenames import CROSS_VALIDATION
from nncli.run_directory.loader import read_model
from nncli.run_directory.manifest import CONFIG, MANIFEST, Manifest
from nncli.run_directory.run import Run
from nncli.targets.metrics.regression import RegressionScores
from tests.cli.support import Cli
from tests.run_directory.support import stop_at

KEYS = (
    "layers: [16]\nencoding: {numeric: robust, clip: smooth, out_of_range_dates: nearest_year}\n"
    "epochs: 60\nlearning_rate: 0.01\n"
)


def made_table() -> pl.DataFrame:
    """Eight years of a level with a season, which changes by another feature."""
    rng = np.random.default_rng(0)
    day = np.sort(rng.integers(0, 8 * 365, size=800))
    years, x = day / 365.25, rng.normal(size=800)
    y = 3 * np.tanh(years / 2) + 2 * np.sin(2 * np.pi * years) + x + 0.5 * rng.normal(size=800)
    return pl.DataFrame({"date": (np.datetime64("2014-01-01") + day).astype(str), "x": x, "y": y})


def written(folder: Path, data: str = "", keys: str = KEYS) -> Path:
    made_table().filter(pl.col("date") < "2020").write_csv(folder / "t.csv")
    made_table().filter(pl.col("date") >= "2020").write_csv(folder / "later.csv")
    (folder / "c.yaml").write_text(f"data: {{path: {folder}/t.csv, target: y{data}}}\n{keys}")
    return folder / "c.yaml"


def features(run: Path) -> list[str]:
    return read_model(run).names


def r2_of_later_rows(folder: Path, data: str) -> float:
    run = train(written(folder, data), output=folder / "run").run
    scores = evaluate(run, folder / "later.csv").scores
    assert isinstance(scores, tuple)
    (single,) = scores
    assert isinstance(single, RegressionScores)
    return single["r2"]


def test_rows_of_later_years_are_predicted_with_the_time_column_as_well_as_without_a_split_in_time(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / name for name in ("random", "time", "dropped")]
    for folder in folders:
        folder.mkdir()
    random, timed, dropped = map(r2_of_later_rows, folders, ["", ", time: date", ", time: date, drop: [date]"])
    assert timed > random - 0.1
    assert timed > dropped + 0.3


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (", time: date", ["date", "x"]),
        (", time: date, drop: [date]", ["x"]),
        (", time: date, features: [x]", ["x"]),
        (", time: date, group: date", ["x"]),
    ],
)
def test_the_time_column_is_a_feature_unless_told_otherwise(tmp_path: Path, data: str, expected: list[str]) -> None:
    run = train(written(tmp_path, data, "layers: [2]\nepochs: 1\n"), output=tmp_path / "run").run
    assert features(run) == expected


def notes_of(err: str) -> list[str]:
    return [line for line in err.splitlines() if "split" in line and ("random" in line or "in time" in line)]


def test_each_command_says_in_one_line_how_rows_are_split_and_its_hint_works(nncli: Cli, here: Path) -> None:
    config = written(here, keys="layers: [2]\nepochs: 1\nmembers: 2\nworkers: 1\n")
    drafted = nncli("init", "t.csv", "--target", "y", "-o", "drafted.yaml").check()
    trained = nncli("train", config, "-o", "a").check()
    checked = nncli("check", config).check()
    (note,) = notes_of(trained.err)
    for done in (drafted, checked):
        assert len(notes_of(done.out + done.err)) == 1
    options = shlex.split("--set " + note.partition("--set ")[2])
    (note,) = notes_of(nncli("train", config, "-o", "b", *options).check().err)
    assert "random" not in note
    assert "'date'" in note
    assert features(here / "b" / "members" / "1") == ["date", "x"]


def test_a_table_without_dates_has_no_such_note(nncli: Cli, here: Path) -> None:
    config = written(here, ", drop: [date]", "layers: [2]\nepochs: 1\n")
    assert notes_of(nncli("train", config, "-o", "a").check().err) == []


def made_old(folder: Path, name: str, execution: Any) -> None:
    """Make a directory as an older version wrote it, whose time column is no feature though it is not dropped."""
    config = load_config(folder / CONFIG)
    config = config.model_copy(update={"data": config.data.model_copy(update={"drop": ()})})
    (folder / CONFIG).write_text(dump(config.model_dump(mode="json")))
    document = json.loads((folder / name).read_text())
    del document["time_is_feature"]
    document["fingerprint"] = fingerprint(config, execution)
    if name == MANIFEST:
        document = json.loads(Manifest.model_validate(document).with_checksum().model_dump_json())
    (folder / name).write_text(json.dumps(document))


def test_an_ensemble_of_an_older_version_is_resumed_without_its_time_column(tmp_path: Path) -> None:
    keys = "layers: [2]\nepochs: 3\nmembers: 2\nworkers: 1\n"
    config = written(tmp_path, ", time: date, drop: [date]", keys)
    run = train(config, output=tmp_path / "run", stop=stop_at(10)).run
    assert not (run / "members" / "2").exists()
    made_old(run, MANIFEST, recorded_execution(Run.open(run).load_manifest()))
    for epochs in (3, 4):  # the second time from the configuration that the first one wrote
        train(resume=run, set=[f"epochs={epochs}"])
        assert [features(run / "members" / name) for name in "12"] == [["x"], ["x"]]
    assert not Run.open(run).load_manifest().time_is_feature


def test_a_cross_validation_of_an_older_version_is_resumed_without_its_time_column(tmp_path: Path) -> None:
    from nncli.fitting.ensemble.cross_validation import UNSET_EXECUTION

    config = written(tmp_path, ", time: date, drop: [date]", "layers: [2]\nepochs: 3\nworkers: 1\n")
    assert cross_validate(config, folds=3, output=tmp_path / "cv", stop=stop_at(10)) is None
    made_old(tmp_path / "cv", CROSS_VALIDATION, UNSET_EXECUTION)
    assert cross_validate(resume=tmp_path / "cv")
    assert [features(tmp_path / "cv" / "folds" / name) for name in "123"] == [["x"]] * 3
