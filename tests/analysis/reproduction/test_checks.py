"""What is not as it was is named, and decides the verdict together with the result."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from nncli import train
from nncli.analysis.reproduction import reproduction
from nncli.analysis.reproduction.checks import OTHERS, changed_keys
from nncli.analysis.reproduction.record import RunRecord
from nncli.analysis.reproduction.reproduction import ReproductionVerdict
from nncli.base.errors import Advice, DataError, Location, ResumeRun, in_python, in_terminal, sentences
from nncli.config.schema import Config
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import CONFIG, HISTORY, METRICS, MODEL, WEIGHTS
from nncli.run_directory.run import Run
from nncli.run_directory.saved_decision import save_decision
from nncli.targets.decision import CostMatrix
from tests.analysis.reproduction.support import checksum_of, copied, differing, edited, reproduced
from tests.api.ensembles import written
from tests.cli.support import DATA, Cli
from tests.run_directory.support import change_manifest, changed

TABLE = DATA / "penguins.csv"


def flipped(path: Path, place: int = -1) -> None:
    """Flip the lowest bit of a byte of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def table_with(folder: Path, before: bytes, after: bytes) -> Path:
    """A copy of the table with one cell changed."""
    content = TABLE.read_bytes()
    assert before in content
    path = folder / "table.csv"
    path.write_bytes(content.replace(before, after, 1))
    return path


@pytest.mark.slow
def test_a_flipped_byte_of_the_table_is_named_and_the_weights_differ(penguins: Path, tmp_path: Path) -> None:
    result = reproduced(penguins, data=table_with(tmp_path, b",39.1,", b",38.1,"))
    assert differing(result) == {"table"}
    assert result.causes == ("the table differs",)
    assert result.verdict is not ReproductionVerdict.IDENTICAL
    assert not next(comparison for comparison in result.comparisons if comparison.file == WEIGHTS).is_identical


def test_a_byte_of_a_column_that_is_not_used_is_named_and_the_result_is_the_same(
    penguins: Path, tmp_path: Path
) -> None:
    result = reproduced(penguins, data=table_with(tmp_path, b",2007", b",2006"))
    assert differing(result) == {"table"}
    assert (result.verdict, result.exit_code) == (ReproductionVerdict.IDENTICAL, 0)
    assert result.sentence == "identical to the bit, although the table differs"


def test_a_table_that_cannot_be_trained_on_any_more_is_an_error_that_says_that_it_differs(
    penguins: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        reproduced(penguins, data=table_with(tmp_path, b"species", b"kind"))
    assert "the table differs" in str(caught.value.hint)


@pytest.mark.slow
def test_a_changed_version_is_named_and_alone_changes_nothing(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    change_manifest(run, changed(nncli_version="0.0.1", versions__numpy="1.0.0"))
    result = reproduced(run)
    assert differing(result) == {"nncli", "numpy"}
    assert result.verdict is ReproductionVerdict.IDENTICAL


@pytest.mark.slow
def test_another_machine_is_the_cause_of_weights_that_differ_little(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    content = bytearray((run / WEIGHTS).read_bytes())
    content[-4] ^= 1  # the lowest bits of the last weight
    (run / WEIGHTS).write_bytes(bytes(content))
    files = Run(run).load_manifest().files | {WEIGHTS: checksum_of(run / WEIGHTS)}
    change_manifest(run, changed(files=files, machine__blas="openblas 0.3.1 Nehalem"))
    result = reproduced(run)
    assert (result.verdict, result.exit_code) == (ReproductionVerdict.CLOSE, 6)
    assert 0.0 < result.difference < 1e-6
    assert differing(result) == {"BLAS kernel"}


@pytest.mark.slow
def test_an_edited_configuration_is_named_and_the_first_epoch_that_differs(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    edited(run, "learning_rate=0.04")
    result = reproduced(run)
    assert differing(result) == {"configuration", CONFIG}
    assert (result.verdict, result.exit_code) == (ReproductionVerdict.DIFFERENT, 1)
    assert result.first_difference is not None
    assert result.first_difference.first_epoch == 1
    assert reproduced(run, quick=1).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignments", "detail"),
    [
        (["seed=7"], "seed"),
        (["clip_norm=1.0"], "clip_norm"),
        (["seed=7", "clip_norm=1.0"], "seed, clip_norm"),
        (["seed=7", "learning_rate=0.04"], "seed, others"),
        (["learning_rate=0.04"], ""),
    ],
)
def test_keys_that_were_changed_are_named_where_the_run_tells(
    penguins: Path, tmp_path: Path, assignments: list[str], detail: str
) -> None:
    run = copied(penguins, tmp_path)
    edited(run, *assignments)
    (check,) = (check for check in reproduced(run, quick=1).checks if check.kind == "configuration")
    assert check.detail == detail


@pytest.mark.slow
def test_a_key_of_an_ensemble_is_told_by_its_members(tmp_path: Path) -> None:
    config = written(tmp_path, "members=2", "epochs=1", "learning_rate=0.01")
    run = train(config, output=tmp_path / "run").run
    recorded = RunRecord.open(run)
    edited(run, "learning_rate=0.04")
    assert changed_keys(recorded, read_config(run)) == ("learning_rate",)
    edited(run, "members=3")
    assert changed_keys(recorded, read_config(run)) == ("members", "learning_rate")
    (run / "members" / "1" / CONFIG).write_text("data: 1")
    assert changed_keys(recorded, read_config(run)) == ("members", OTHERS)


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_a_training_that_diverges_now_is_different(tmp_path: Path, members: int) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 3\nmembers: {members}")
    run = train(config, output=tmp_path / "run").run
    edited(run, "learning_rate=1e30")
    for quick in (None, 2) if members == 1 else (None,):  # members have their own configurations, which are as before
        result = reproduced(run, quick=quick)
        assert (result.verdict, result.exit_code) == (ReproductionVerdict.DIFFERENT, 1), quick
        assert "configuration" in differing(result)
        assert result.divergence is not None
        assert "diverges" in result.sentence
        assert result.json()["divergence"] == result.divergence


@pytest.mark.slow
def test_an_edit_that_means_the_same_is_named_though_the_training_is_the_same(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    (run / CONFIG).write_text("# checked\n" + (run / CONFIG).read_text())
    result = reproduced(run)
    assert differing(result) == {CONFIG}
    assert result.exit_code == 1
    assert all(comparison.is_identical for comparison in result.comparisons)


@pytest.mark.slow
@pytest.mark.parametrize("name", [WEIGHTS, MODEL])
def test_a_changed_file_is_named_though_the_training_leads_to_the_recorded_one(
    penguins: Path, tmp_path: Path, name: str
) -> None:
    run = copied(penguins, tmp_path)
    flipped(run / name, 300 if name == MODEL else -4)
    result = reproduced(run)
    assert differing(result) == {name}
    assert (result.verdict, result.exit_code) == (ReproductionVerdict.DIFFERENT, 1)
    assert all(comparison.is_reproduced for comparison in result.comparisons)  # with the checksum of what was written
    assert [comparison.file for comparison in result.comparisons if not comparison.is_identical] == [name]
    (said,) = (item for item in result.json()["comparisons"] if item["changed"])
    assert (said["file"], said["identical"]) == (name, False)
    assert said["difference"] != 0.0


@pytest.mark.slow
def test_files_of_members_that_were_changed_or_removed_are_not_called_identical(nncli: Cli, tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=2", "epochs=1"), output=tmp_path / "run").run
    flipped(run / "members" / "2" / WEIGHTS)
    (run / METRICS).unlink()
    lines = nncli("reproduce", run, "-q").check(1).out.splitlines()
    rows = {line.split("  ")[0]: line for line in lines}
    assert f"{WEIGHTS} of 2 members" not in rows
    for name in (f"members/2/{WEIGHTS}", METRICS):
        assert any(line.startswith(name) and "changed or removed since" in line for line in lines)


@pytest.mark.slow
def test_epochs_that_were_edited_are_not_called_the_same(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    edited(run, "epochs=7")
    result = reproduced(run)
    assert differing(result) == {CONFIG}
    assert result.exit_code == 1
    assert "configuration" not in {check.name for check in result.checks}
    assert "configuration without epochs" in {check.name for check in result.checks}


@pytest.mark.slow
def test_a_missing_file_is_named(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    (run / HISTORY).unlink()
    result = reproduced(run)
    assert result.causes == (f"{HISTORY} is missing",)
    assert result.exit_code == 1


@pytest.mark.slow
def test_a_changed_history_is_named_with_the_epoch(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    lines = (run / HISTORY).read_text().splitlines()
    cells = lines[3].split(",")
    lines[3] = ",".join([cells[0], "0.5", *cells[2:]])
    (run / HISTORY).write_text("\n".join(lines) + "\n")
    result = reproduced(run)
    assert differing(result) == {HISTORY}
    history = result.first_difference
    assert history is not None
    assert (history.first_epoch, history.where, history.then) == (3, "loss", 0.5)
    assert result.exit_code == 1
    assert reproduced(run, quick=2).comparisons[0].is_identical


@pytest.mark.slow
def test_the_weights_of_a_member_are_named_with_its_folder(tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=2", "epochs=1"), output=tmp_path / "run").run
    flipped(run / "members" / "2" / WEIGHTS)
    result = reproduced(run)
    assert differing(result) == {f"members/2/{WEIGHTS}"}
    assert result.exit_code == 1


@pytest.mark.slow
def test_a_compiled_training_records_the_versions_of_its_compiler(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    manifest = Run(run).load_manifest()
    assert "numba" not in manifest.versions
    change_manifest(run, changed(backend="numba", versions={**manifest.versions, "numba": "0.1", "scipy": "1.0"}))
    result = reproduced(run, quick=1)
    assert {"numba", "scipy"} <= differing(result)
    assert RunRecord.open(run).networks[""].backend == "numba"


@pytest.mark.slow
def test_a_decision_that_was_saved_after_the_training_is_no_difference(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    labels, costs = ("Adelie", "Chinstrap", "Gentoo"), ((0.0, 1.0, 1.0), (5.0, 0.0, 1.0), (1.0, 1.0, 0.0))
    save_decision(Run(run), CostMatrix(labels=labels, costs=costs))
    result = reproduced(run)
    assert result.verdict is ReproductionVerdict.IDENTICAL
    assert differing(result) == set()


def test_code_that_changed_between_releases_is_named(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    change_manifest(run, changed(**{"versions__nncli code": "0" * 12}))
    assert differing(reproduced(run, quick=1)) == {"nncli code"}


def test_no_error_of_a_training_again_names_its_folder(
    penguins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable = DataError("unreadable", hint=Advice("Mend it.", Advice(" To go on: ", ResumeRun(tmp_path / "again"))))

    def fail(config: Config, path: Path, **_: object) -> None:
        unreadable.location = Location(source=str(path / HISTORY))
        unreadable.hint = sentences(unreadable.hint, Advice("Once it can, go on: ", ResumeRun(path)))
        raise unreadable

    monkeypatch.setattr(reproduction, "train_network", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DataError) as caught:
        reproduced(penguins)
    assert caught.value.location == Location(source=str(penguins / HISTORY))
    for surface in (in_terminal, in_python):
        assert str(tmp_path) not in caught.value.on(surface).replace(str(penguins), "")
        assert "Mend it." in caught.value.on(surface)
