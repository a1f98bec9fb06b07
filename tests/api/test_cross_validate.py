"""Every fold is scored by a training that never saw it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean, stdev

import polars as pl
import pytest

from nncli import cross_validate, evaluate
from nncli.api.cross_validate import CrossValidated, cross_validation_events
from nncli.base.errors import ConfigError, DataError, NncliError, RunError, RunLockedError, UsageError
from nncli.config.loading import load_config
from nncli.data.splitting.folds import Fold
from nncli.fitting.ensemble.cross_validation import CrossValidation
from nncli.fitting.train.events import MembersProgress, MembersStarted
from nncli.models.scores import headlines
from nncli.run_directory.filenames import CROSS_VALIDATION
from nncli.run_directory.manifest import CONFIG, HELD_OUT, METRICS
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import ClassificationScores
from tests.api.ensembles import config_of, written
from tests.assertions import raises
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CrossValidation]:
    """Three folds of one network each; not to be changed."""
    folder = tmp_path_factory.mktemp("folds")
    result = cross_validate(written(folder, "members=1"), folds=3, output=folder / "cv")
    assert result
    return folder / "cv", result


@pytest.mark.slow
def test_a_fold_is_scored_on_its_left_out_rows(done: tuple[Path, CrossValidation]) -> None:
    path, result = done
    for i, fold in enumerate(result.folds):
        run = path / "folds" / str(i + 1)
        assert load_config(run / CONFIG).data.leave_out == Fold(folds=3, fold=i, seed=0)
        rows = result.predictions.filter(pl.col("fold") == i + 1)["row"]
        left_out = pl.read_csv(TABLE, infer_schema=False)[(rows - 1).to_list()]
        assert evaluate(run, left_out.with_columns(pl.all().replace("NA", None))).scores == fold.scores
        assert fold.rows == len(rows)
        assert Run.open(run).load_manifest().training_rows + Run.open(run).load_manifest().validation_rows == (
            344 - fold.rows
        )


@pytest.mark.slow
def test_every_row_is_predicted_in_the_order_of_the_table(done: tuple[Path, CrossValidation]) -> None:
    _, result = done
    assert result.predictions["row"].to_list() == list(range(1, 345))
    assert result.predictions.columns[:3] == ["row", "fold", "prediction"]
    right = (result.predictions["prediction"] == pl.read_csv(TABLE)["species"]).mean()
    assert isinstance(result.out_of_fold, ClassificationScores)
    assert result.out_of_fold["accuracy"] == right
    assert result.out_of_fold["accuracy"] == pytest.approx(sum(f.rows * accuracy(f.scores) for f in result.folds) / 344)


def accuracy(scores: object) -> float:
    assert isinstance(scores, ClassificationScores)
    return scores["accuracy"]


@pytest.mark.slow
def test_mean_and_standard_deviation_are_over_the_folds(done: tuple[Path, CrossValidation]) -> None:
    path, result = done
    values = [dict(headlines(fold.scores))["log_loss"] for fold in result.folds]
    each = [value for value in values if value is not None]
    assert result.means["log_loss"] == fmean(each)
    assert result.standard_deviations["log_loss"] == stdev(each)
    written_down = json.loads((path / METRICS).read_text())
    assert written_down["mean"] == result.means
    assert [fold["rows"] for fold in written_down["folds"]] == [115, 115, 114]


def test_without_folds_there_are_no_means() -> None:
    assert CrossValidation((), (), pl.DataFrame()).means == {}


@pytest.mark.slow
def test_repeats_use_other_folds_and_average_predictions(tmp_path: Path) -> None:
    config = config_of(tmp_path, "members=1", "epochs=1")
    result = cross_validate(config, folds=2, repeats=2, output=tmp_path / "cv")
    assert result
    assert [(fold.repeat, fold.fold) for fold in result.folds] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert load_config(tmp_path / "cv" / "folds" / "3" / CONFIG).data.leave_out == Fold(folds=2, fold=0, seed=1)
    assert "fold" not in result.predictions.columns
    assert len(result.predictions) == 344


@pytest.mark.slow
def test_each_fold_of_an_ensemble_is_an_ensemble(tmp_path: Path) -> None:
    events = list(
        cross_validation_events(config_of(tmp_path, "epochs=1", "members=2"), folds=2, output=tmp_path / "cv")
    )
    assert isinstance(events[0], MembersStarted)
    assert events[0].members == 4
    assert all(isinstance(event, MembersProgress) for event in events[1:-1])
    assert isinstance(events[-1], CrossValidated)
    for fold in ("1", "2"):
        manifest = Run.open(tmp_path / "cv" / "folds" / fold).load_manifest()
        assert (manifest.status, manifest.members, manifest.training_rows) == ("done", 2, 172)
        assert manifest.validation_rows == 172  # what one member holds out the other trains on


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_a_stopped_cross_validation_resumes_to_the_same_scores(tmp_path: Path, members: int) -> None:
    config = config_of(tmp_path, f"members={members}", "epochs=2")
    expected = cross_validate(config, folds=2, output=tmp_path / "whole")
    left = 20 + 5 * members

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    assert cross_validate(config, folds=2, output=tmp_path / "cv", stop=stop) is None
    assert not (tmp_path / "cv" / METRICS).exists()
    again = cross_validate(resume=tmp_path / "cv")
    assert again
    assert expected
    assert again.json() == expected.json()
    assert again.predictions.equals(expected.predictions)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "assignments", "repeats"),
    [
        ("penguins.csv, target: species", ["members=1"], 2),
        ("penguins.csv, target: species", ["members=2", "workers=1"], 1),
        ("linear.csv, target: [x2, y]", ["members=1"], 1),
        ("linear.csv, target: y", ["members=1", "loss={type: quantiles, levels: [0.1, 0.5, 0.9]}"], 1),
    ],
)
def test_a_finished_cross_validation_is_scored_again_without_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, assignments: list[str], repeats: int
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/{table}}}\nlayers: [4]\nepochs: 1")
    expected = cross_validate(config, folds=2, repeats=repeats, output=tmp_path / "cv", set=assignments)
    assert expected
    with monkeypatch.context() as patch:
        patch.setattr(Run, "load_model", None)
        again = cross_validate(resume=tmp_path / "cv")
    assert again
    assert again.json()["folds"] == expected.json()["folds"]
    assert again.json()["out_of_fold"] == expected.json()["out_of_fold"]
    assert again.predictions.equals(expected.predictions)


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["damaged", "missing", "another model"])
def test_kept_predictions_that_are_not_those_of_the_models_are_made_again(
    done: tuple[Path, CrossValidation], tmp_path: Path, harm: str
) -> None:
    path = Path(shutil.copytree(done[0], tmp_path / "cv"))
    before, record = (path / HELD_OUT).read_bytes(), json.loads((path / CROSS_VALIDATION).read_text())
    if harm == "another model":
        other = {**record["held_out"], "models": ["0", *record["held_out"]["models"][1:]]}
        (path / CROSS_VALIDATION).write_text(json.dumps({**record, "held_out": other}))
    elif harm == "missing":
        (path / HELD_OUT).unlink()
    else:
        (path / HELD_OUT).write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    again = cross_validate(resume=path)
    assert again
    assert again.json()["folds"] == done[1].json()["folds"]
    assert (path / HELD_OUT).read_bytes() == before
    assert json.loads((path / CROSS_VALIDATION).read_text()) == record


@pytest.mark.slow
def test_groups_are_left_out_together_and_times_in_order(tmp_path: Path) -> None:
    rows = range(60)
    table = {"x": [float(i % 7) for i in rows], "g": [i // 6 for i in rows], "y": [float(i % 5) for i in rows]}
    pl.DataFrame(table).write_csv(tmp_path / "t.csv")
    data = f"data={{path: {tmp_path}/t.csv, target: y, "
    grouped = cross_validate(
        config_of(tmp_path, "members=1", "epochs=1", data + "group: g}"), folds=3, output=tmp_path / "g"
    )
    assert grouped
    folds = grouped.predictions.with_columns(g=(pl.col("row") - 1) // 6).group_by("g").agg(pl.col("fold").n_unique())
    assert (folds["fold"] == 1).all()
    timed = cross_validate(
        config_of(tmp_path, "members=1", "epochs=1", data + "time: g}"), folds=3, output=tmp_path / "t"
    )
    assert timed
    assert timed.predictions["fold"].is_sorted()
    assert len(timed.predictions) < 60  # the first block is only trained on
    with raises(UsageError):
        cross_validate(config_of(tmp_path, "members=1", data + "time: g}"), folds=3, repeats=2, output=tmp_path / "r")


@pytest.mark.slow
def test_invalid_settings_are_refused_before_a_directory_is_made(tmp_path: Path) -> None:
    config, where = config_of(tmp_path, "members=1"), tmp_path / "cv"
    with raises(UsageError):
        cross_validate(config, folds=1, output=where)
    with raises(UsageError):
        cross_validate(config, folds=2, repeats=10**12, output=where)
    with raises(UsageError):
        cross_validate(config, set=["epochs=1"], output=where)
    with raises(UsageError, mentions="leave_out"):
        cross_validate(config_of(tmp_path, "data.leave_out={folds: 3, fold: 0}"), output=where)
    with raises(DataError, file="penguins.csv", mentions="345"):
        cross_validate(config, folds=345, output=where)
    with pytest.raises(ConfigError):
        cross_validate(config_of(tmp_path, "validation=0", "bagging=folds"), output=where)
    with raises(NncliError, file="cv"):
        cross_validate(config, folds=2, output=written(tmp_path) / "cv")
    assert not where.exists()


def test_a_changed_cross_validation_is_not_resumed(done: tuple[Path, CrossValidation], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(done[0], tmp_path / "copy"))
    with raises(RunError):
        cross_validate(resume=tmp_path)
    record = (copy / CROSS_VALIDATION).read_text()
    (copy / CROSS_VALIDATION).write_text(record.replace('"repeats": 1', '"repeats": 1000000000000'))
    with raises(RunError, file=CROSS_VALIDATION):
        cross_validate(resume=copy)
    (copy / CROSS_VALIDATION).write_text(record)
    with Run(copy).locked(), pytest.raises(RunLockedError):
        cross_validate(resume=copy)
    text = (copy / CONFIG).read_text()
    (copy / CONFIG).write_text(text.replace("epochs: 3", "epochs: 4"))
    with raises(RunError, file="config.yaml"):
        cross_validate(resume=copy)
    (copy / CONFIG).write_text(text)
    (copy / CROSS_VALIDATION).write_text(
        (copy / CROSS_VALIDATION).read_text().replace('"data_sha256": "', '"data_sha256": "0')
    )
    with raises(DataError, file="penguins.csv"):
        cross_validate(resume=copy)
    (copy / CROSS_VALIDATION).write_text("{}")
    with raises(RunError, file="cross-validation.json"):
        cross_validate(resume=copy)
