"""Resuming a run: to the same bits, or refused with what has changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.api.train import train, train_events
from nncli.base.errors import ConfigError, RunError
from nncli.config.schema import Config
from nncli.fitting.train.provenance import RESUMABLE_KEYS
from nncli.nn.training.epoch import DivergedError
from nncli.run_directory.manifest import CONFIG, MANIFEST, MODEL
from nncli.run_directory.run import Run
from tests.assertions import raises
from tests.cli.support import DATA, Cli
from tests.run_directory.support import change_manifest, changed, checkpoints, damaged, in_parts, outcome, stop_at
from tests.thorough import every

CONFIGURATION = """
data: {path: t.csv, target: species, drop: [year]}
layers: [6, batch_norm, {type: dropout, rate: 0.3}]
optimizer: adamw
learning_rate: {type: reduce_on_plateau, peak: 0.05, patience: 2}
batch_size: 50
epochs: 12
early_stopping: {patience: 4}
checkpoint: {every: 5 steps}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    shutil.copy(DATA / "penguins.csv", folder / "t.csv")
    (folder / "c.yaml").write_text(CONFIGURATION)
    return folder / "c.yaml"


@pytest.fixture(scope="module")
def expected(config: Path) -> object:
    """The files of a training that is never stopped."""
    return outcome(train(config, output=config.parent / "whole").run)


@pytest.fixture(scope="module")
def stopped(config: Path) -> Path:
    """A run that was stopped in its sixth epoch; do not change it."""
    return train(config, output=config.parent / "stopped", stop=stop_at(33)).run


@pytest.fixture
def copy(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "copy"))


@settings(max_examples=24 // every(3))
@given(steps=st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_a_run_stopped_at_any_steps_ends_in_the_same_files(
    config: Path, expected: object, tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    finished = in_parts(config, tmp_path_factory.mktemp("parts") / "run", *steps)
    assert finished.status == "done"
    assert outcome(finished.run) == expected


def test_resuming_a_finished_run_changes_nothing(config: Path, expected: object, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "run").run
    assert outcome(train(resume=run).run) == expected
    assert outcome(train(resume=run, set=["epochs=500"]).run) == expected  # it is out of patience


def test_a_moved_run_resumes(copy: Path, expected: object) -> None:
    assert outcome(train(resume=copy).run) == expected
    assert Run.open(copy).load_manifest().status == "done"


def test_a_resumed_training_fits_its_temperature_again(config: Path, tmp_path: Path) -> None:
    settings = ["calibration=temperature", "early_stopping=null"]
    longer = train(config, output=tmp_path / "long", set=[*settings, "epochs=6"]).run
    short = train(config, output=tmp_path / "short", set=[*settings, "epochs=2"]).run
    fitted = Run.open(short).load_model().spec.temperature
    events = train_events(resume=short, set=["epochs=6"])
    next(events)  # it is running: nothing is fitted to its weights
    assert fitted != 1.0
    assert Run.open(short).load_model().spec.temperature == 1.0
    events.close()
    assert outcome(train(resume=short).run) == outcome(longer)
    assert Run.open(longer).load_model().spec.temperature != fitted


def test_a_run_killed_after_its_temperature_was_fitted_resumes(config: Path, tmp_path: Path) -> None:
    run = train(config, output=tmp_path / "run", set=["calibration=temperature", "epochs=3"]).run
    expected, manifest = outcome(run), Run.open(run).load_manifest()
    Run.open(run).save_manifest(manifest.model_copy(update={"status": "running"}))
    assert outcome(train(resume=run).run) == expected


def test_resuming_with_more_epochs_equals_a_longer_training(config: Path, tmp_path: Path) -> None:
    longer = train(config, output=tmp_path / "long", set=["epochs=15", "early_stopping=null"]).run
    short = train(config, output=tmp_path / "short", set=["epochs=5", "early_stopping=null"]).run
    resumed = train(resume=short, set=["epochs=15"])
    assert resumed.epochs == 15
    assert outcome(resumed.run) == outcome(longer)
    assert "\nepochs: 15\n" in (short / CONFIG).read_text()


def test_the_checkpoint_interval_can_change_on_resume(copy: Path, expected: object) -> None:
    finished = train(resume=copy, set=["checkpoint.every=1 epoch", "checkpoint.keep=3"])
    assert outcome(finished.run) == expected
    last = checkpoints(copy)[-1]
    assert checkpoints(copy) == [last - 12, last - 6, last]


OTHER = {
    "data": "data.missing_values=['', '?']",
    "encoding": "encoding.numeric=none",
    "init": "init=he",
    "parametrization": "parametrization=ntk",
    "numeric_embedding": "numeric_embedding=periodic",
    "embedding_init_std": "embedding_init_std=1.0",
    "validation": "validation=0.3",
    "layers": "layers=[6]",
    "activation": "activation=tanh",
    "output_activation": "output_activation=softmax",
    "loss": "loss={type: cross_entropy, label_smoothing: 0.1}",
    "optimizer": "optimizer.weight_decay=0.5",
    "learning_rate": "learning_rate.peak=0.06",
    "batch_size": "batch_size=51",
    "l1": "l1=0.1",
    "l2": "l2=0.1",
    "clip_norm": "clip_norm=1",
    "metric": "metric=accuracy",
    "best_epoch_tie": "best_epoch_tie=last",
    "average_cycles": "average_cycles=true",
    "early_stopping": "early_stopping.patience=5",
    "class_weight": "class_weight=balanced",
    "calibration": "calibration=temperature",
    "positive_class": "positive_class=Adelie",
    "precision": "precision=float64",
    "on_divergence": "on_divergence=halve_learning_rate",
    "threads": "threads=1",
    "backend": "backend=numpy",
    "members": "members=2",
    "bagging": "bagging=seeds",
    "seed": "seed=1",
    "monotone": "monotone.body_mass_g=increasing",
    "interactions": "interactions=[[bill_length_mm, bill_depth_mm]]",
}


def test_every_key_of_the_configuration_is_covered() -> None:
    others = {"preset", "quality", "code", "teacher", "time_limit", "target_weights"}  # the last is of several targets
    assert {*OTHER, *RESUMABLE_KEYS, *others} == set(Config.model_fields)


@pytest.mark.parametrize("key", [key for key in OTHER if key not in ("loss", "output_activation")])
def test_a_key_that_would_change_trained_epochs_is_refused(copy: Path, key: str) -> None:
    before = (copy / MANIFEST).read_bytes()
    with pytest.raises(ConfigError) as caught:
        train(resume=copy, set=[OTHER[key]])
    assert [issue.location.key for issue in caught.value.issues] == [key]
    assert (copy / MANIFEST).read_bytes() == before


def test_a_changed_loss_or_output_activation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 2")
    run = train(path, output=tmp_path / "run").run
    for key, assignment in (("loss", "loss=mae"), ("output_activation", "output_activation=tanh")):
        with pytest.raises(ConfigError) as caught:
            train(resume=run, set=[assignment, "epochs=3"])
        assert [issue.location.key for issue in caught.value.issues] == [key]


def test_all_refused_keys_are_reported_together(copy: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        train(resume=copy, set=["seed=1", "l2=0.5", "epochs=20"])
    assert [issue.location.key for issue in caught.value.issues] == ["l2", "seed"]


def test_fewer_epochs_than_have_been_trained_are_refused(copy: Path) -> None:
    with raises(ConfigError, key="epochs", mentions="5 epochs"):
        train(resume=copy, set=["epochs=4"])
    assert train(resume=copy, set=["epochs=5"]).epochs == 5


def test_fewer_epochs_are_refused_after_a_kill(config: Path, tmp_path: Path) -> None:
    """The manifest of a run that was killed does not say yet how many there are; its checkpoint does."""
    copy = tmp_path / "copy"

    def cut() -> bool:
        if checkpoints(tmp_path / "run") and checkpoints(tmp_path / "run")[-1] == 30 and not copy.exists():
            shutil.copytree(tmp_path / "run", copy)
        return False

    train(config, output=tmp_path / "run", stop=cut)
    assert Run.open(copy).load_manifest().status == "running"
    with raises(ConfigError, key="epochs", mentions="5 epochs"):
        train(resume=copy, set=["epochs=2"])
    assert outcome(train(resume=copy).run) == outcome(tmp_path / "run")


@pytest.mark.parametrize(("old", "new"), [("seed: 0", "seed: 1"), ("l2: 0.0", "l2: 0.5"), ("units: 6", "units: 7")])
def test_a_configuration_edited_by_hand_is_refused(copy: Path, old: str, new: str) -> None:
    text = (copy / CONFIG).read_text()
    assert old in text
    (copy / CONFIG).write_text(text.replace(old, new))
    with raises(RunError, file=CONFIG):
        train(resume=copy)


def test_comments_and_order_in_the_configuration_do_not_matter(copy: Path, expected: object) -> None:
    (copy / CONFIG).write_text(
        "# looked at\n" + (copy / CONFIG).read_text().replace("\nl2: 0.0\n", "\nl2:   0  # none\n")
    )
    assert outcome(train(resume=copy).run) == expected


def test_threads_changed_in_the_manifest_are_refused(copy: Path) -> None:
    change_manifest(copy, changed(threads=2))
    with raises(RunError, file=MANIFEST):
        train(resume=copy)


def test_a_model_that_does_not_match_the_table_is_refused(copy: Path) -> None:
    damaged(copy, MODEL, changed(encoder__columns__1__center=1.0))
    with raises(RunError, file="copy", mentions="model.json"):
        train(resume=copy)


@pytest.mark.parametrize("name", [CONFIG, MODEL, MANIFEST])
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[: len(content) // 2]])
def test_a_damaged_run_is_refused(nncli: Cli, copy: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    (copy / name).write_bytes(damage((copy / name).read_bytes()))
    assert nncli("train", "--resume", copy).code in (3, 5)


@pytest.mark.parametrize("name", ["t.csv", "v.csv"])
def test_a_table_that_has_changed_is_refused(nncli: Cli, tmp_path: Path, name: str) -> None:
    for table in ("t.csv", "v.csv"):
        shutil.copy(DATA / "linear.csv", tmp_path / table)
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 9\nvalidation: {path: v.csv}")
    run = train(path, output=tmp_path / "run", stop=stop_at(3)).run
    expected = outcome(train(path, output=tmp_path / "whole").run)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content + content.splitlines(keepends=True)[-1])
    assert name in nncli("train", "--resume", run).check(4).err
    (tmp_path / name).unlink()
    assert name in nncli("train", "--resume", run).check(4).err
    (tmp_path / name).write_bytes(content)
    nncli("train", "--resume", run).check()
    assert outcome(run) == expected


def test_a_path_without_a_run_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RunError):
            train(resume=path)
    assert list(tmp_path.iterdir()) == []  # not even a lock


def test_a_diverged_training_can_be_resumed_and_diverges_again(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: []\noptimizer: {{type: sgd, momentum: 0.9}}\n"
        "epochs: 200\nlearning_rate: {type: constant, peak: 20.0, warmup_steps: 200}"
    )
    errors = []
    for events in (train_events(path, output=tmp_path / "run"), train_events(resume=tmp_path / "run")):
        with raises(DivergedError, file="run") as caught:
            list(events)
        errors.append(str(caught.value))
        assert Run.open(tmp_path / "run").load_manifest().status == "failed"
        Run.open(tmp_path / "run").load_model()
    assert errors[0] == errors[1]
