"""Where memory or threads are refused, a command says so and what to do, before the libraries end it without a word."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.cli.address_limit import A_CORE, LIBRARIES, MIB
from nncli.errors import is_out_of_memory, reraise_out_of_memory
from tests.cli.support import COMMAND, DATA, ROOT, SECONDS, Cli

ENOUGH = LIBRARIES + A_CORE * (os.cpu_count() or 1)


def limited(limit: int, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command that may take up so many bytes of addresses."""
    import resource

    return subprocess.run(
        [*COMMAND, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 1\n")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux counts them")
@pytest.mark.parametrize("limit", [64 * MIB, ENOUGH - 1])
def test_a_limit_too_tight_to_start_is_refused_before_the_libraries_are_loaded(config: Path, limit: int) -> None:
    for words in (["train", config], ["predict", "run"], ["evaluate", "run", "t.csv"], ["generate-data"]):
        done = limited(limit, *words)
        assert done.returncode == 1, done
        assert done.stderr.startswith(f"nncli: this process may take up {limit // MIB:,} MiB of addresses, and needs")
        assert "ulimit -v" in done.stderr
    assert limited(limit, "train", "--help").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux counts them")
def test_what_is_called_enough_is_enough_for_a_small_table(config: Path, tmp_path: Path) -> None:
    done = limited(ENOUGH, "train", config, "-o", tmp_path / "run")
    assert done.returncode == 0, done
    assert limited(ENOUGH, "predict", tmp_path / "run", DATA / "linear.csv").returncode == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        pl.exceptions.PanicException(
            'ThreadPoolBuildError { kind: IOError(Os { code: 11, kind: WouldBlock, message: "'
        ),
        pl.exceptions.PanicException("LazyLock instance has previously been poisoned"),
        pl.exceptions.ComputeError("Cannot allocate memory (os error 12)"),
    ],
)
@pytest.mark.parametrize("where", ["polars.read_csv", "nncli.pipeline.train.session.fit"])
def test_a_shortage_in_whatever_words_is_told_as_one(
    nncli: Cli, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(where, refuse)
    said = nncli("train", config, "-o", tmp_path / "run").check(1).err
    assert "there is not enough memory, or no further thread may be started" in said
    assert "smaller network" in said


def test_other_errors_are_no_shortage() -> None:
    for error in (ValueError("bad"), BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))):
        assert not is_out_of_memory(error)
        reraise_out_of_memory(error)


def test_a_panic_that_is_none_of_memory_is_a_fault_and_no_traceback(
    nncli: Cli, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*_: Any, **__: Any) -> None:
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr("nncli.pipeline.train.session.fit", panic)
    outcome = nncli("train", config, "-o", tmp_path / "run")
    assert outcome.code == 1
    assert "something that should not happen: PanicException: index out of bounds" in outcome.err
