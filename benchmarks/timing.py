"""Time and memory of a process, measured in rounds: shared by all benchmarks.

Every round measures each peer once, so that a busy moment of the machine affects all of them. Reported times are
medians. Reported ratios are medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import TypeVar

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COMMAND = ["-c", "from nncli.cli.app import main; main()"]
"""What the installed `nncli` does, as arguments of the interpreter."""

T = TypeVar("T")


def environment(threads: int) -> dict[str, str]:
    """The environment of a measured process: nncli of this folder, and so many threads for every library."""
    # OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, where present, hold OpenBLAS to the kernel or the blocking of another
    # processor, and so would slow NumPy and scikit-learn but not PyTorch and JAX, which bring products of their own
    kept = {k: v for k, v in os.environ.items() if k not in {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}}
    names = (
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
        *("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"),
    )
    single = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"} if threads == 1 else {}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    fixed = {"PYTHONPATH": paths, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    return {**kept, **dict.fromkeys(names, str(threads)), **single, **fixed}


@cache
def compile_sources() -> None:
    """Leave the bytecode of nncli and of the peers' scripts beside them, as pip does with all that it installs.

    In a working copy nobody else may: where PYTHONDONTWRITEBYTECODE is set, every process would compile nncli anew.
    """
    for folder in (ROOT / "nncli", HERE):
        compileall.compile_dir(folder, quiet=2)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def kept_to_cores(threads: int) -> Iterator[None]:
    """Processes started meanwhile get so many cores: what no setting tells a library, the system does."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Run:
    """A process that has ended well: its seconds from start to end, its peak memory, and what it printed."""

    seconds: float
    mib: float
    output: str


class FailedError(Exception):
    """A process failed; `words` are what it said."""

    def __init__(self, command: Sequence[str | Path], code: int, words: str) -> None:
        super().__init__(f"{' '.join(map(str, command))}: exit code {code}\n{words}")
        self.words = words


def run(
    words: Sequence[str | Path],
    *,
    threads: int | None = None,
    interpreter: str | Path = sys.executable,
    whole_tree: bool = False,
    **variables: str,
) -> Run:
    """Run the interpreter with these arguments, on `threads` cores (default: all).

    The peak counts no less than this process's own, which the system hands on: whoever measures memory imports little.

    Args:
        whole_tree: The peak is that of the process and its descendants together, sampled, on Linux.

    Raises:
        FailedError: the process failed.
    """
    compile_sources()
    threads = threads or cores()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with kept_to_cores(threads):
            start = time.perf_counter()
            process = subprocess.Popen(
                [str(interpreter), *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**environment(threads), **variables},
            )
        with sampled(process.pid) if whole_tree else nullcontext() as peak:
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise FailedError(words, process.returncode, err.read().decode())
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        return Run(seconds, max(usage.ru_maxrss / unit, peak() if peak else 0.0), out.read().decode())


INTERVAL = 0.1
"""Seconds between two samples of the memory."""


@contextmanager
def sampled(pid: int) -> Iterator[Callable[[], float]]:
    """Sample the tree of a process meanwhile; what it yields returns the highest sum in MiB so far.

    A page that several processes share counts once. Peaks between two samples are missed.
    """
    ended, peak = threading.Event(), [0.0]

    def watch() -> None:
        while not ended.is_set():
            peak[0] = max(peak[0], tree_mib(pid))
            ended.wait(INTERVAL)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: peak[0]
    finally:
        ended.set()
        watcher.join()


def tree_mib(pid: int) -> float:
    """The proportional set sizes of a process and its descendants, added up; 0 if it has ended, or not on Linux."""
    if sys.platform != "linux":
        return 0.0
    import psutil  # scripts that other libraries' environments run import this file, and need not have it

    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 1024**2


@cache
def refusal(setting: str) -> str | None:
    """Why nncli does not take this `--set KEY=VALUE`, in its words; None when it does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "t.csv").write_text("x,y\n" + "1.5,2.5\n2.5,3.5\n" * 10)
        Path(folder, "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: [2]\nepochs: 1\n")
        words = ["train", f"{folder}/c.yaml", "-q", "-o", f"{folder}/run", "--force", "--set", setting]
        try:
            run([*COMMAND, *words])
        except FailedError as error:
            return error.words.strip().splitlines()[0]
    return None


def accepted(setting: str) -> list[str]:
    """`--set SETTING` for an nncli that takes it, and nothing for one that does not know it yet."""
    return [] if refusal(setting) else ["--set", setting]


def make_csv(path: Path, *, rows: int, numeric: int, text: int = 0, classes: int = 0) -> Path:
    """Write a table, in a process of its own: see make_csv.py."""
    run([HERE / "make_csv.py", path, *map(str, (rows, numeric, text, classes))])
    return path


def in_rounds(tasks: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What every task returned in every round."""
    result: dict[str, list[T]] = {title: [] for title in tasks}
    for _ in range(rounds):
        for title, task in tasks.items():
            result[title].append(task())
    return result


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios within a round."""
    return median(a / b for a, b in zip(over, under, strict=True))


def parser(purpose: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    options_parser = argparse.ArgumentParser(description=(purpose or "").splitlines()[0])
    options_parser.add_argument(
        "--rounds", type=int, default=rounds, help=f"measurements of everyone (default {rounds})"
    )
    return options_parser
