"""How a training is computed: what is chosen, what is said of it, what is recorded, and that a resumed one keeps it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nncli.api.train import train, train_events
from nncli.base.errors import ConfigError, RunError
from nncli.base.findings import Finding, FindingCode
from nncli.fitting.prepare import execution
from nncli.fitting.prepare.execution import COMPILING
from nncli.fitting.train.events import Started
from nncli.nn.training.compiled import support as backend
from nncli.nn.training.compiled.support import BackendProblem
from nncli.run_directory.manifest import MANIFEST
from nncli.run_directory.run import Run
from tests.assertions import raises
from tests.cli.support import DATA, ROOT, Cli
from tests.run_directory.support import checkpoints, outcome

FAST = backend.installed()
with_numba = pytest.mark.skipif(not FAST, reason="Numba is not installed")
SHORT = "epochs: 3\n"


def config_of(tmp_path: Path, rest: str = SHORT, layers: str = "[4]") -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: {layers}\n{rest}")
    return path  # 102 training rows: four steps an epoch


def recorded(run: Path) -> tuple[str, int, int]:
    manifest = Run.open(run).load_manifest()
    return manifest.backend, manifest.n_shards, manifest.blas_threads


def findings_of(events: Any) -> tuple[Finding, ...]:
    """The findings about the execution of a training, which is then left."""
    started = next(events)
    assert isinstance(started, Started)
    events.close()
    return tuple(finding for finding in started.findings if finding.code == FindingCode.EXECUTION)


def stop_after(step: int) -> Callable[[], bool]:
    """A wish to stop that is there from so many askings on."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= step

    return stop


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, Numba is not installed."""
    return lambda: monkeypatch.setattr(backend, "find_spec", lambda name: None)


@pytest.fixture
def pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled loops pay from the first step."""
    monkeypatch.setattr(execution, "is_worthwhile", lambda *_: True)


# --- what is chosen


@pytest.mark.slow
@with_numba
@pytest.mark.parametrize(("wanted", "chosen"), [("auto", "numba"), ("numba", "numba"), ("numpy", "numpy")])
@pytest.mark.parametrize(("threads", "parts"), [("auto", 1), ("1", 1), ("3", 3)])
def test_the_backend_and_the_shards_are_recorded(
    tmp_path: Path, pays: None, wanted: str, chosen: str, threads: str, parts: int
) -> None:
    config = config_of(tmp_path, f"{SHORT}backend: {wanted}\nthreads: {threads}\n")
    assert recorded(train(config, output=tmp_path / "run").run) == (chosen, parts, 1)


def test_a_short_training_uses_numpy(tmp_path: Path) -> None:
    assert recorded(train(config_of(tmp_path), output=tmp_path / "run").run)[0] == "numpy"


def test_without_numba_backend_auto_is_numpy_without_a_note(
    tmp_path: Path, pays: None, without_numba: Callable[[], None]
) -> None:
    without_numba()
    assert findings_of(train_events(config_of(tmp_path), output=tmp_path / "run")) == ()
    assert recorded(tmp_path / "run")[0] == "numpy"


UNSUPPORTED = {
    "precision float64": "precision: float64",
    "a layer of type batch_norm": "layers: [batch_norm]",
    "the activation softplus": "activation: softplus",
    "huber": "loss: huber",
    "lion": "optimizer: lion",
    "an output_activation": "output_activation: identity",
}


@pytest.mark.slow
@pytest.mark.parametrize(("what", "line"), UNSUPPORTED.items(), ids=UNSUPPORTED)
def test_numba_with_an_unsupported_setting_is_an_error(tmp_path: Path, pays: None, what: str, line: str) -> None:
    config = config_of(tmp_path, f"{SHORT}backend: numba\n{line}\n")
    if line.startswith("layers"):
        config.write_text(config.read_text().replace("layers: [4]\n", ""))
    with raises(ConfigError, key="backend", mentions=what) as caught:
        train(config, output=tmp_path / "run")
    assert len(caught.value.issues) == 1
    assert not (tmp_path / "run").exists()
    finished = train(config, output=tmp_path / "run", set=["backend=auto"])
    assert recorded(finished.run)[0] == "numpy"


def test_backend_numba_without_numba_installed_is_an_error(
    tmp_path: Path, without_numba: Callable[[], None], nncli: Cli
) -> None:
    config = config_of(tmp_path, f"{SHORT}backend: numba\n")
    without_numba()
    with raises(ConfigError, key="backend", mentions="pip install 'nncli-train[fast]'"):
        train(config, output=tmp_path / "run")
    done = nncli("train", config, "-o", tmp_path / "run").check(3)
    assert "backend" in done.err
    assert not (tmp_path / "run").exists()


NOWHERE = BackendProblem("Numba finds no folder for compiled code", "Set NUMBA_CACHE_DIR to one that can be written to")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "load", lambda name: NOWHERE if name == "numba" else None)


@with_numba
def test_where_numba_does_not_work_backend_auto_is_numpy_with_a_note(tmp_path: Path, pays: None, nowhere: None) -> None:
    (finding,) = findings_of(train_events(config_of(tmp_path), output=tmp_path / "run"))
    assert finding.code == FindingCode.EXECUTION
    assert NOWHERE.what in finding.message
    assert NOWHERE.hint in finding.hint
    assert recorded(tmp_path / "run")[0] == "numpy"


@with_numba
def test_where_numba_does_not_work_backend_numba_is_an_error(tmp_path: Path, nowhere: None) -> None:
    with raises(ConfigError, key="backend", mentions="NUMBA_CACHE_DIR"):
        train(config_of(tmp_path, f"{SHORT}backend: numba\n"), output=tmp_path / "run")


# --- what is said


@pytest.mark.slow
@with_numba
@pytest.mark.parametrize("threads", [1, 2])
def test_only_the_first_training_reports_that_it_compiles(
    tmp_path: Path, nncli: Cli, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    from nncli.nn.training.compiled import bridge as compiled
    from nncli.nn.training.compiled import kernels

    config = config_of(tmp_path, f"epochs: 1\nbackend: numba\nthreads: {threads}\n")
    nncli("train", config, "-o", tmp_path / "run").check()
    done = nncli("train", config, "-o", tmp_path / "run", "--force").check()
    assert COMPILING.message not in done.err

    class Fresh:
        """The loops as they are before anything was compiled."""

        signatures: tuple[()] = ()
        __name__ = "train_batches"
        stats = type("Stats", (), {"cache_path": str(tmp_path / "nothing")})

        def __call__(self, *arguments: Any) -> Any:
            return real(*arguments)

    real = kernels.train_batches
    monkeypatch.setattr(kernels, "train_batches", Fresh())
    assert not compiled.is_cached()
    done = nncli("train", config, "-o", tmp_path / "run", "--force").check()
    assert f"note: {COMPILING.message}" in done.err
    assert done.path.is_dir()
    monkeypatch.setattr(Fresh.stats, "cache_path", str(tmp_path), raising=False)
    kept = tmp_path / "kernels.train_batches-1.py311.1.nbc"
    kept.write_bytes(b"")
    assert compiled.is_cached()
    os.utime(kept, (0, 0))  # of loops that have changed since
    assert not compiled.is_cached()


# --- a resumed run


@pytest.mark.slow
@with_numba
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("began", "now"), [("numba", "numpy"), ("numpy", "numba")])
def test_a_resumed_run_keeps_its_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, began: str, now: str, threads: int
) -> None:
    backend.load("numba")
    monkeypatch.setattr(execution, "_choose_backend", lambda *_: (began, None))
    config = config_of(tmp_path, f"epochs: 6\nthreads: {threads}\n")
    expected = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_after(2)).run
    monkeypatch.setattr(execution, "_choose_backend", lambda *_: (now, None))
    assert Run.open(run).load_manifest().status == "stopped"
    assert outcome(train(resume=run).run) == expected
    assert recorded(run) == (began, threads, 1)


@pytest.mark.slow
@with_numba
@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_of_the_default_is_compiled_and_resumes_to_the_same_bits(tmp_path: Path, threads: int) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"preset: tabular\ndata: {{path: {DATA}/penguins.csv, target: species}}\n"
        f"encoding: {{categories: {{max_one_hot: 2}}}}\nmembers: 1\nepochs: 4\nthreads: {threads}\n"
        f"backend: numba\ncheckpoint: {{every: 2 steps}}\n"
    )
    expected = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_after(2)).run
    assert Run.open(run).load_manifest().status == "stopped"
    assert outcome(train(resume=run).run) == expected
    assert recorded(run) == ("numba", threads, 1)


@with_numba
def test_more_epochs_do_not_change_the_backend(tmp_path: Path) -> None:
    run = train(config_of(tmp_path), output=tmp_path / "run").run
    assert recorded(run)[0] == "numpy"
    train(resume=run, set=["epochs=5"])
    assert recorded(run)[0] == "numpy"


@with_numba
@pytest.mark.parametrize("status", ["stopped", "done"])
def test_resuming_a_numba_run_without_numba_is_refused_and_changes_nothing(
    tmp_path: Path, without_numba: Callable[[], None], nncli: Cli, status: str
) -> None:
    config = config_of(tmp_path, f"{SHORT}backend: numba\n")
    run = train(config, output=tmp_path / "run", stop=stop_after(2 if status == "stopped" else 10**9)).run
    assert Run.open(run).load_manifest().status == status
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    without_numba()
    with raises(RunError, file="run", mentions="pip install 'nncli-train[fast]'"):
        train(resume=run, set=["epochs=5"])
    done = nncli("train", "--resume", run).check(5)
    assert "nncli-train[fast]" in done.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    nncli("predict", run, DATA / "linear.csv").check()


@with_numba
def test_a_resumed_run_reports_that_it_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(config_of(tmp_path, f"{SHORT}backend: numba\n"), output=tmp_path / "run", stop=stop_after(2)).run
    monkeypatch.setattr("nncli.nn.training.compiled.bridge.is_cached", lambda: False)
    assert findings_of(train_events(resume=run)) == (COMPILING,)


def test_a_backend_edited_in_the_manifest_is_refused(tmp_path: Path) -> None:
    run = train(config_of(tmp_path), output=tmp_path / "run").run
    manifest = json.loads((run / MANIFEST).read_text())
    for key, value in (("backend", "numba"), ("n_shards", 2), ("blas_threads", 2)):
        (run / MANIFEST).write_text(json.dumps(manifest | {key: value}))
        with pytest.raises(RunError):
            train(resume=run)


# --- checkpoints and signals


@pytest.mark.slow
@with_numba
@pytest.mark.parametrize("every", [1, 3, 4, 5])
def test_checkpoints_are_saved_at_the_exact_steps(tmp_path: Path, every: int) -> None:
    rest = f"epochs: 9\nbackend: numba\ncheckpoint: {{every: {every} steps, keep: 100}}\n"
    run = train(config_of(tmp_path, rest), output=tmp_path / "run").run
    assert checkpoints(run) == sorted({*range(every, 37, every), 36})


@pytest.mark.slow
@with_numba
def test_a_stop_takes_effect_at_once_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    rest = "epochs: 40000\nbackend: numba\ncheckpoint: {every: 1000000 steps}\n"
    config = config_of(tmp_path, rest)
    train(config, output=tmp_path / "warm", set=["epochs=1"])
    end: list[float] = []

    def stop() -> bool:
        end[:] = end or [time.process_time() + 0.3]
        return time.process_time() > end[0]

    run = train(config, output=tmp_path / "run", stop=stop).run
    assert time.process_time() - end[0] < 2.0  # the scores and files of the run among it
    manifest = Run.open(run).load_manifest()
    assert manifest.status == "stopped"
    more = manifest.epochs + 2
    expected = train(config, output=tmp_path / "whole", set=[f"epochs={more}"]).run
    short = train(config, output=tmp_path / "short", set=[f"epochs={more}"], stop=stop_after(3)).run
    assert outcome(train(resume=short).run) == outcome(expected)


# --- what is imported

IMPORTED = "\nimport sys; print(sorted({'numba', 'llvmlite', 'scipy'} & set(sys.modules)))"


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "import nncli; nncli.train, nncli.predict, nncli.evaluate",
        "import contextlib, io\nfrom nncli.cli.app import main\nsys_argv = ['nncli', '--help']\n"
        "import sys; sys.argv = sys_argv\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()",
        "from nncli import train; train('CONFIG', output='OUTPUT', set=['backend=numpy'])",
        "from nncli import train; train('CONFIG', output='OUTPUT', set=['threads=2'])",
        "from nncli.fitting.prepare import execution; from nncli.fitting.train import session; "
        "from nncli.nn.training import epoch, loop; from nncli.nn.training.compiled import support",
    ],
    ids=["nncli", "--help", "numpy", "short", "modules"],
)
def test_numba_is_imported_only_by_a_training_that_uses_it(tmp_path: Path, program: str) -> None:
    program = program.replace("CONFIG", str(config_of(tmp_path))).replace("OUTPUT", str(tmp_path / "run"))
    command = [sys.executable, "-W", "error", "-c", program + IMPORTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.mark.slow
@with_numba
def test_a_training_with_numba_imports_it(tmp_path: Path) -> None:
    program = f"from nncli import train; train({str(config_of(tmp_path))!r}, output={str(tmp_path / 'run')!r}, "
    program += f"set=['backend=numba']){IMPORTED}"
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "'numba'" in done.stdout
