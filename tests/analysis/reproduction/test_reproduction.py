"""Every kind of training leads to the same bits again."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from nncli import cross_validate, train
from nncli.analysis.reproduction.reproduction import ReproductionVerdict
from nncli.base.errors import RunError, UsageError
from nncli.run_directory.manifest import CONFIG
from nncli.run_directory.run import Run
from tests.analysis.reproduction.support import checksum_of, differing, edited, reproduced, trained
from tests.api.ensembles import written
from tests.cli.support import CONFIGS, DATA
from tests.run_directory.support import change_manifest, changed, stop_at

SHORT = {
    "linear": ["epochs=3"],
    "linear-regression": ["epochs=3"],
    "penguins": ["epochs=4"],
    "spirals": ["epochs=3"],
    "xor": ["epochs=3"],
    "tabular": ["epochs=3", "members=2"],
}
"""What makes the configurations that ship short."""


def assert_identical(run: Path) -> None:
    result = reproduced(run)
    assert result.verdict is ReproductionVerdict.IDENTICAL, result.sentence
    assert differing(result) == set()


def assert_quickly_identical(run: Path) -> None:
    quick = reproduced(run, quick=2)
    assert quick.verdict is ReproductionVerdict.IDENTICAL, quick.sentence
    assert {comparison.epochs for comparison in quick.comparisons} == {2}


def test_every_configuration_that_ships_is_trained_again_here() -> None:
    assert SHORT.keys() == {path.stem for path in CONFIGS.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_configuration_that_ships_leads_to_the_same_bits(tmp_path: Path, name: str) -> None:
    assert_identical(trained(tmp_path, name, *SHORT[name]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "assignments",
    [
        ["preset=tabular", "members=1", "epochs=3"],
        ["preset=tabular", "quality=fast", "members=2", "validation=0.2", "bagging=seeds", "epochs=3"],
        ["layers=[8]", "backend=numba", "epochs=3"],
        ["layers=[8]", "backend=numpy", "threads=2", "batch_size=64", "epochs=3"],
        ["layers=[8,batch_norm]", "threads=2", "epochs=3"],
        ["layers=[8,{type: dropout, rate: 0.2}]", "learning_rate={type: cosine, peak: 0.01}", "epochs=4"],
        ["layers=[8]", "early_stopping={patience: 1}", "learning_rate=0.5", "epochs=9"],
        ["layers=[8]", "batch_size=full", "class_weight=balanced", "epochs=3"],
    ],
    ids=lambda assignments: " ".join(assignments[:-1]),
)
def test_settings_lead_to_the_same_bits(tmp_path: Path, assignments: list[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}")
    assert_identical(train(config, output=tmp_path / "run", set=assignments).run)


@pytest.mark.slow
@pytest.mark.parametrize("bagging", ["folds", "bootstrap"])
def test_members_lead_to_the_same_bits(tmp_path: Path, bagging: str) -> None:
    run = train(written(tmp_path, f"bagging={bagging}", "members=2"), output=tmp_path / "run").run
    assert_identical(run)
    assert_quickly_identical(run)


@pytest.mark.slow
def test_members_lead_to_the_same_bits_in_processes_of_their_own(tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=2"), output=tmp_path / "run").run
    edited(run, "workers=2")
    change_manifest(run, changed(files={**Run(run).load_manifest().files, CONFIG: checksum_of(run / CONFIG)}))
    assert_identical(run)


@pytest.mark.slow
def test_members_that_chose_their_number_of_cycles_choose_the_same(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/xor.csv, target: label, sample: 60}}\nquality: fast\nmembers: 2")
    run = train(config, output=tmp_path / "run").run
    assert Run(run).load_manifest().epochs >= 28
    assert_identical(run)
    assert_quickly_identical(run)


@pytest.mark.slow
def test_a_training_within_a_time_limit_leads_to_the_same_bits_without_one(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/xor.csv, target: label}}\nlayers: [4]\nepochs: 6")
    assert_identical(train(config, output=tmp_path / "run", time_limit=30).run)


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_a_training_that_was_stopped_and_resumed_leads_to_the_same_bits(tmp_path: Path, members: int) -> None:
    config = written(tmp_path, f"members={members}")
    stopped = train(config, output=tmp_path / "run", stop=stop_at(20))
    assert stopped.status == "stopped"
    run = train(resume=stopped.run).run
    assert_identical(run)
    assert_quickly_identical(run)


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_a_training_that_was_lengthened_is_lengthened_again(tmp_path: Path, members: int) -> None:
    config = written(tmp_path, f"members={members}", "learning_rate={type: cosine, peak: 0.01}", "epochs=2")
    run = train(config, output=tmp_path / "run").run
    train(resume=run, set=["epochs=3"])
    train(resume=run, set=["epochs=4"])
    assert [item.epochs for item in Run(run).load_manifest().lengthened] == [2, 3]
    assert_identical(run)
    assert_quickly_identical(run)
    with pytest.raises(UsageError):
        reproduced(run, quick=3)


@pytest.mark.slow
def test_a_training_that_was_lengthened_before_its_end_is_refused_but_for_its_first_epochs(tmp_path: Path) -> None:
    config = written(tmp_path, "members=1", "learning_rate={type: cosine, peak: 0.01}")
    run = train(config, output=tmp_path / "run", stop=stop_at(30)).run
    train(resume=run, set=["epochs=4"])
    with pytest.raises(RunError):
        reproduced(run)
    assert reproduced(run, quick=1).verdict is ReproductionVerdict.IDENTICAL


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_the_training_of_a_fold_leads_to_the_same_bits(tmp_path: Path, members: int) -> None:
    cross_validate(written(tmp_path, f"members={members}"), folds=2, output=tmp_path / "cv")
    assert_identical(tmp_path / "cv" / "folds" / "2")


@pytest.mark.slow
def test_a_validation_file_and_a_table_in_several_files_may_have_moved(tmp_path: Path) -> None:
    table = pl.read_csv(DATA / "penguins.csv", infer_schema=False)
    (tmp_path / "parts").mkdir()
    table[:150].write_csv(tmp_path / "parts" / "a.csv")
    table[150:].write_csv(tmp_path / "parts" / "b.csv")
    table[::5].write_csv(tmp_path / "held-out.csv")
    config = tmp_path / "c.yaml"
    config.write_text("data: {path: parts, target: species}\nvalidation: {path: held-out.csv}\nlayers: [4]\nepochs: 2")
    run = train(config, output=tmp_path / "run").run
    assert_identical(run)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(tmp_path / "parts", moved / "parts")
    assert differing(reproduced(run, data=moved / "parts")) == set()
    (moved / "parts" / "b.csv").write_bytes((moved / "parts" / "b.csv").read_bytes() + b"\n")
    changed = reproduced(run, data=moved / "parts")
    assert changed.causes == ("the table differs: 'b.csv'",)
