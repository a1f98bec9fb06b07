"""`nncli.reproduce`: what cannot be reproduced is refused, and the temporary folder never stays."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nncli import reproduce, train
from nncli.analysis.reproduction.reproduction import PREFIX, Reproduction
from nncli.api.reproduce import reproduction_events
from nncli.base.errors import DataError, NncliError, RunError, UsageError
from nncli.fitting.train.events import Started
from nncli.nn.training.loop import EpochReport
from tests.analysis.reproduction.support import copied
from tests.api.ensembles import written
from tests.cli.support import DATA
from tests.run_directory.support import change_manifest, changed, stop_at


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder for temporary folders, in which none stays."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not [*folder.glob(f"{PREFIX}*")]


def test_the_run_is_not_changed(penguins: Path) -> None:
    before = {path: path.read_bytes() for path in penguins.rglob("*") if path.is_file()}
    assert reproduce(penguins, quick=1) is not None
    assert {path: path.read_bytes() for path in penguins.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_the_events_are_those_of_a_training_and_then_the_result(penguins: Path) -> None:
    started, *reports, result = reproduction_events(penguins, quick=3)
    assert isinstance(started, Started)
    assert started.epochs == 3
    assert [report.epoch for report in reports if isinstance(report, EpochReport)] == [1, 2, 3]
    assert isinstance(result, Reproduction)
    assert (result.quick, result.run) == (3, penguins)


@pytest.mark.slow
@pytest.mark.parametrize("quick", [None, 2])
@pytest.mark.parametrize("members", [1, 2])
def test_a_stopped_reproduction_has_no_result(tmp_path: Path, members: int, quick: int | None) -> None:
    run = train(written(tmp_path, f"members={members}"), output=tmp_path / "run").run
    assert reproduce(run, quick=quick, stop=stop_at(*range(3, 999))) is None


@pytest.mark.slow
def test_an_interrupt_ends_it(penguins: Path) -> None:
    def interrupt() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(penguins, stop=interrupt)


def refusal(run: Path, **options: object) -> NncliError:
    with pytest.raises(NncliError) as caught:
        reproduce(run, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.slow
def test_a_training_that_was_stopped_is_refused_but_for_its_first_epochs(tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=1"), output=tmp_path / "run", stop=stop_at(40)).run
    error = refusal(run)
    assert isinstance(error, RunError)
    assert f"nncli train --resume {run}" in str(error.hint)
    assert "--quick 1" in str(error.hint)
    result = reproduce(run, quick=1)
    assert result is not None
    assert result.exit_code == 0


def test_a_training_that_was_killed_is_refused(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    change_manifest(run, changed(status="running", files={}))
    assert "--resume" in str(refusal(run).hint)
    assert refusal(run, quick=1).exit_code == 5


@pytest.mark.slow
def test_a_training_that_failed_is_refused_but_for_its_first_epochs(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    change_manifest(run, changed(status="failed"))
    assert "--quick 1" in str(refusal(run).hint)
    result = reproduce(run, quick=1)
    assert result is not None
    assert result.exit_code == 0


@pytest.mark.slow
def test_a_member_is_reproduced_with_its_ensemble(tmp_path: Path) -> None:
    run = train(written(tmp_path, "members=2", "epochs=1"), output=tmp_path / "run").run
    assert f"nncli reproduce {run}" in str(refusal(run / "members" / "1").hint)
    shutil.rmtree(run / "members" / "2")
    assert isinstance(refusal(run), RunError)


@pytest.mark.parametrize("quick", [0, -1, 9])
def test_epochs_that_there_are_not_are_refused(penguins: Path, quick: int) -> None:
    assert isinstance(refusal(penguins, quick=quick), UsageError)


def test_a_validation_file_for_a_run_without_one_is_refused(penguins: Path) -> None:
    assert isinstance(refusal(penguins, validation=DATA / "penguins.csv"), UsageError)


@pytest.mark.slow
def test_a_table_that_is_gone_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    table = Path(shutil.copy(DATA / "xor.csv", tmp_path / "table.csv"))
    config = tmp_path / "c.yaml"
    config.write_text("data: {path: table.csv, target: label}\nlayers: [4]\nepochs: 1")
    run = train(config, output=tmp_path / "run").run
    table.unlink()
    error = refusal(run)
    assert isinstance(error, DataError)
    assert "--data TABLE" in str(error.hint)
    assert reproduce(run, data=DATA / "xor.csv") is not None


@pytest.mark.slow
def test_a_table_of_a_database_is_known_by_its_rows_and_may_have_moved(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("create table t (x real, y real)")
        database.executemany("insert into t values (?, ?)", [(i, i % 7) for i in range(40)])
        database.commit()
    config = tmp_path / "c.yaml"
    config.write_text("data: {path: sqlite:///a.db, target: y, table: t}\nlayers: [4]\nepochs: 1")
    run = train(config, output=tmp_path / "run").run
    (tmp_path / "a.db").rename(tmp_path / "b.db")
    assert "--data TABLE" in str(refusal(run).hint)
    moved = f"sqlite:///{tmp_path / 'b.db'}"
    result = reproduce(run, data=moved)
    assert result is not None
    assert (result.exit_code, result.causes) == (0, ())
    with closing(sqlite3.connect(tmp_path / "b.db")) as database:
        database.execute("update t set x = 99 where y = 3")
        database.commit()
    changed_table = reproduce(run, data=moved, quick=1)
    assert changed_table is not None
    assert changed_table.causes == ("the table differs",)


def test_a_table_from_a_pipe_needs_a_file(penguins: Path, tmp_path: Path) -> None:
    run = copied(penguins, tmp_path)
    change_manifest(run, changed(data__sha256=None))
    error = refusal(run)
    assert isinstance(error, DataError)
    assert "--data TABLE" in str(error.hint)
    result = reproduce(run, data=DATA / "penguins.csv")
    assert result is not None
    assert result.checks[0].recorded is None
    assert result.exit_code == 0


def test_a_missing_backend_is_an_error_that_says_what_to_install(
    penguins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(penguins, tmp_path)
    change_manifest(run, changed(backend="numba"))
    monkeypatch.setattr("nncli.nn.training.compiled.support.installed", lambda: False)
    error = refusal(run)
    assert isinstance(error, RunError)
    assert "nncli-train[fast]" in str(error.hint)
