"""Fault injection: every system call by which a training writes fails in turn, then memory runs out.

    python reliability/faults.py                          # every call, every fault
    python reliability/faults.py --stride 17 --no-memory  # every 17th call: seconds

The n-th open, write, fsync, rename, mkdir or unlink below the output's folder fails with ENOSPC, EIO or EACCES, or
writes but half of what it is given, for n = 1, 2, 3 … until the command ends before there is an n-th: once, and for
ever after. The commands are a training, a resumed training, `predict -o` and `generate-data -o`, to CSV and Parquet.
Then the trainings once more under a limit of memory (RLIMIT_AS) that rises in steps of 32 MiB until they succeed, and
in steps of 4 MiB for a process that has its imports behind it.

A command must succeed, with the right result, or end with a documented exit code and one message. A training's
checkpoints must be whole, none of them lost, and `--resume` lead to the bits of the undisturbed training. An output
file must be whole, or what it was before. Nothing temporary may be left where the file could be removed at all.
"""

from __future__ import annotations

import argparse
import errno
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeAlias

from harness import CLEAN_CODES, MIB, Fault, Outcome, forget_shim, imports_fit, run, warm, with_shim
from python_faults import KILL_BEFORE, SHORT, Calls
from training import Bits, bits, checkpoint_steps, go_on, leftovers, prepare, resume_words, train_words, unreadable

ACTIONS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES, "short write": SHORT}
TRAININGS = ("train", "resume")
FILES = ("answers.csv", "answers.parquet", "made.csv", "made.parquet")
OLD = b"what was there before"
BIG = "layers: [768, 768]\nbatch_size: 8\nepochs: 3\ncheckpoint: {every: 3 steps}\n"
NATIVE = (
    "OpenBLAS",
    "stack backtrace",
    "jemalloc",
    "memory allocation of",
    "returned NULL without",
    "without exception",
)
"""What libraries print that end a process, or panic, when they are refused memory: before any of it reaches Python."""
STEP, FINE_STEP = 32 * MIB, 4 * MIB
Kind: TypeAlias = Counter[str]


@dataclass(frozen=True)
class Ground:
    """A folder with a table, a configuration, a finished run, one that was cut short, and what is to come out."""

    folder: Path
    bits: Bits
    half_steps: int
    files: dict[str, bytes]

    def words(self, command: str, home: Path) -> list[str]:
        """The words of a command whose output goes below `home`."""
        if command in TRAININGS:
            return (train_words if command == "train" else partial(_resume, self))(self.folder, home / "run")
        output = ["-o", str(home / command), "--force"]
        if command.startswith("made"):
            return ["generate-data", "blobs", "-n", "200", *output]
        return ["predict", str(self.folder / "whole"), str(self.folder / "table.csv"), "--keep", "y", *output]

    def lay(self, command: str, home: Path) -> None:
        """Make `home` as it is before the command."""
        home.mkdir()
        if command == "resume":
            shutil.copytree(self.folder / "half", home / "run")
        elif command in FILES:
            (home / command).write_bytes(OLD)


def _resume(ground: Ground, folder: Path, path: Path) -> list[str]:
    return resume_words(path)


def lay_ground(folder: Path, *, big: bool = False) -> Ground:
    """Train undisturbed, and once more up to a SIGKILL, and make each file."""
    folder.mkdir(exist_ok=True)
    prepare(folder, epochs=9)
    if big:
        (folder / "config.yaml").write_text("data: {path: table.csv, target: y}\n" + BIG)
    whole = run(train_words(folder, folder / "whole"), fault=Fault(folder, Calls.FSYNC, 0, KILL_BEFORE))
    if whole.code:
        raise SystemExit(whole.errors)
    run(train_words(folder, folder / "half"), fault=Fault(folder, Calls.FSYNC, whole.calls // 2, KILL_BEFORE))
    ground = Ground(folder, bits(folder / "whole"), max(checkpoint_steps(folder / "half")), {})
    for name in FILES:
        home = folder / f"first-{name}"
        ground.lay(name, home)
        outcome = run(ground.words(name, home))
        if outcome.code:
            raise SystemExit(outcome.errors)
        ground.files[name] = (home / name).read_bytes()
    return ground


def judged(ground: Ground, command: str, home: Path, outcome: Outcome, *, check_words: bool = True) -> Iterator[str]:
    """What is wrong with an outcome and what it left behind."""
    if check_words and not outcome.clean:
        yield f"not clean: exit code {outcome.code}: {outcome.errors[-1500:]}"
    if command in FILES:
        content = (home / command).read_bytes() if (home / command).exists() else b""
        if content != ground.files[command] and (content != OLD or not outcome.code):
            yield f"half-written: {len(content)} bytes"
        return
    path = home / "run"
    if path.exists():
        why = unreadable(path)
        if why is not None:
            yield f"unreadable: {why}"
            return
        steps = checkpoint_steps(path)
        if command == "resume" and max(steps, default=0) < ground.half_steps:
            yield f"lost: checkpoints {steps}"
    elif command == "resume":
        yield "lost: the whole run"
    if outcome.code == 0 and (not (path / "metrics.json").exists() or bits(path) != ground.bits):
        yield "claims a success that is none"
    names = [there.name for there in home.iterdir()]
    if names not in ([], ["run"]) and not leftovers(home):
        yield f"more than the run: {names}"
    ended = go_on(ground.folder, path)
    if ended.code:
        yield f"not resumable: {ended.errors}"
    elif bits(path) != ground.bits:
        yield "differing: the bits"


def sweep(ground: Ground, stride: int, job: tuple[str, Calls, str, bool]) -> tuple[Kind, list[str]]:
    """One command, one kind of call, one fault, for every n."""
    command, calls, action, forever = job
    counts: Kind = Counter()
    complaints = []
    home = ground.folder / "-".join([command, calls.name or "", action.replace(" ", ""), str(forever)])
    nth = 1
    while True:
        ground.lay(command, home)
        outcome = run(ground.words(command, home), fault=Fault(home, calls, nth, ACTIONS[action], forever))
        if not outcome.struck:
            if outcome.code:
                complaints.append(f"{job}, no fault at all: {outcome.errors}")
            shutil.rmtree(home)
            return counts, complaints
        counts[f"exit code {outcome.code}"] += 1
        wrong = list(judged(ground, command, home, outcome))
        if leftovers(home) and calls is not Calls.UNLINK:
            wrong.append(f"leftovers: {leftovers(home)}")
        counts["broken promises"] += len(wrong)
        complaints += [f"{command}, {calls.name} {nth}, {action}{' for ever' if forever else ''}: {w}" for w in wrong]
        shutil.rmtree(home)
        nth += stride


def squeeze(ground: Ground, command: str, cold: bool, limits: range) -> tuple[Kind, list[str]]:
    """One training under a rising limit of memory."""
    counts: Kind = Counter()
    complaints = []
    kind = "cold" if cold else "warm"
    home = ground.folder / f"memory-{command}-{kind}"
    for limit in limits:
        ground.lay(command, home)
        outcome = run(ground.words(command, home), memory=limit, cold=cold)
        ended = "exit code " + str(outcome.code)
        if outcome.code and (outcome.code not in CLEAN_CODES or any(word in outcome.errors for word in NATIVE)):
            ended = "a library gave up"
        elif not outcome.clean and cold and not imports_fit(limit):
            ended = "imports did not fit"
        counts[f"{kind}: {ended}"] += 1
        wrong = list(judged(ground, command, home, outcome, check_words=ended.startswith("exit code")))
        counts["broken promises"] += len(wrong)
        complaints += [f"{command}, {kind}, {limit // MIB} MiB: {w}" for w in wrong]
        shutil.rmtree(home)
        if outcome.code == 0:
            counts[f"{kind}: succeeds from {limit // MIB} MiB"] += 1
            return counts, complaints
    complaints.append(f"{command}, {kind}: not enough with {limits.stop // MIB} MiB")
    counts["broken promises"] += 1
    return counts, complaints


def mapped() -> int:
    """Bytes that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")


def main() -> int:
    """Make every fault, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stride", type=int, default=1, help="n = 1, 1 + stride, 1 + 2 stride …")
    parser.add_argument("--commands", nargs="+", default=[*TRAININGS, *FILES], choices=[*TRAININGS, *FILES])
    parser.add_argument("--actions", nargs="+", default=list(ACTIONS), choices=list(ACTIONS))
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with_shim()
    warm()
    jobs = [
        (command, calls, action, forever)
        for command, calls, action, forever in product(options.commands, Calls, options.actions, (False, True))
        if calls is not Calls.ALL and (action != "short write" or calls is Calls.WRITE)
    ]
    complaints: list[str] = []
    broken = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        ground = lay_ground(Path(name))
        with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("fork")) as pool:
            swept = list(pool.map(partial(sweep, ground, options.stride), jobs))
            rows = [(f"{job[0]}, {job[2]}", *result) for job, result in zip(jobs, swept, strict=True)]
            if not options.no_memory:
                ground = lay_ground(Path(name, "big"), big=True)
                fine = range(mapped() // FINE_STEP * FINE_STEP, 4096 * MIB, FINE_STEP)
                kinds = [
                    (c, cold, range(STEP, 4096 * MIB, STEP) if cold else fine) for c in TRAININGS for cold in (1, 0)
                ]
                squeezed = pool.map(partial(squeeze, ground), *zip(*kinds, strict=True))
                rows += [(f"{kind[0]}, memory", *result) for kind, result in zip(kinds, squeezed, strict=True)]
    forget_shim()
    for title in dict.fromkeys(row[0] for row in rows):
        counts: Kind = Counter()
        for _, actual, told in (row for row in rows if row[0] == title):
            counts += actual
            complaints += told
        broken += counts.pop("broken promises", 0)
        print(f"{title:26}" + ", ".join(f"{key} × {count:,}" for key, count in sorted(counts.items())))
    faults = sum(n for _, result, _ in rows for key, n in result.items() if key.startswith("exit code"))
    for complaint in complaints[:30]:
        print(complaint)
    print(f"faults {faults:,}, broken promises {broken:,}")
    return 1 if broken or complaints else 0


if __name__ == "__main__":
    sys.exit(main())
