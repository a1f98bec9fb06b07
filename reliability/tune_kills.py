"""Kill tests of searches: `nncli tune` is killed at random moments, and its results must not change.

    python reliability/tune_kills.py                          # 50 SIGKILLs, then 1,000 trials with 20: half an hour
    python reliability/tune_kills.py --kills 5 --trials 30    # some minutes

Every kill is a SIGKILL of all processes of a search on two workers, or, one time in five, of its main process or of a
worker alone. It comes some seconds after the search was begun or resumed, at a random moment; then it is resumed. First
the same search of 24 trials is killed, a dozen times in a row, and brought to its end, as often as it takes: trials.csv
and best.yaml must have the bytes of the search that nobody killed. Then one search of many tiny trials is killed, and
in the end no trial may be missing and the memory of the main process must not have grown with their number.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

MOST_IN_A_ROW = 12
MOST_GROWTH = 64
"""MiB that the main process may grow between 100 trials and the last one."""
CONFIG = """
data: {path: table.csv, target: y}
layers: [8]
epochs: EPOCHS
batch_size: 16
checkpoint: {every: 20 steps}
tune:
  trials: TRIALS
  folds: 3
  search:
    learning_rate: {from: 1e-4, to: 1.0, scale: log}
    layers: {choices: [[8], [16, {type: dropout, rate: {from: 0.0, to: 0.5}}], [4, 4]]}
    optimizer: {choices: [{type: sgd, momentum: {from: 0.5, to: 0.99}}, adam]}
"""


@dataclass
class Tally:
    """What came of the kills."""

    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def wrong(self, message: str) -> None:
        """Count a broken promise."""
        self.counts["wrong"] += 1
        self.complaints.append(message)


def written(folder: Path, trials: int, epochs: int) -> Path:
    """A table, and a search in it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    x = rng.random((60, 2))
    rows = [f"{a},{b},{a * b + 0.1 * e}" for (a, b), e in zip(x, rng.random(60), strict=True)]
    (folder / "table.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    text = CONFIG.replace("TRIALS", str(trials)).replace("EPOCHS", str(epochs))
    (folder / "search.yaml").write_text(text)
    return folder / "search.yaml"


def start(config: Path, path: Path, workers: int) -> subprocess.Popen[bytes]:
    """Begin a search, or resume it, in a process group of its own."""
    words = ["--resume", str(path)] if path.exists() else [str(config), "-o", str(path)]
    with (config.parent / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "nncli", "tune", *words, "--workers", str(workers), "--json"],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def results(path: Path) -> tuple[bytes, ...]:
    """What must not depend on kills."""
    return tuple((path / name).read_bytes() for name in ("trials.csv", "best.yaml"))


def kill(rng: random.Random, process: subprocess.Popen[bytes], tally: Tally) -> None:
    """Kill all processes of a search, or one of them."""
    children = list(children_of(process.pid))
    if rng.random() < 0.2 and children:
        victim = rng.choice([process.pid, *children])
        tally.counts["of one process"] += 1
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return
        if victim != process.pid:  # the search goes on
            return
        time.sleep(rng.uniform(0.0, 0.5))
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def children_of(pid: int) -> Iterator[int]:
    """The processes that a process has started."""
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, file.read_text().split())


def resident(pid: int) -> float:
    """The memory of a process that is in use, in MiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def finish(config: Path, path: Path, tally: Tally) -> bool:
    """Bring a search to its end."""
    process = start(config, path, 2)
    if process.wait():
        tally.wrong(f"not resumable: {(config.parent / 'errors.txt').read_text()[-300:]}")
        return False
    return True


def kill_in_rounds(folder: Path, kills: int, seed: int, tally: Tally) -> None:
    """Kill a search of 24 trials, again and again, and compare its results with those of one that nobody killed."""
    config, rng = written(folder, 24, 30), random.Random(seed)
    began = time.monotonic()
    if not finish(config, folder / "whole", tally):
        return
    longest, expected, done = (time.monotonic() - began) / 2, results(folder / "whole"), 0
    while done < kills:
        path = folder / f"found{done}"
        for _ in range(min(MOST_IN_A_ROW, kills - done)):
            process = start(config, path, 2)
            try:
                code = process.wait(rng.uniform(0.5, longest))
            except subprocess.TimeoutExpired:
                kill(rng, process, tally)
                done += 1
                if process.poll() is None and process.wait():
                    tally.wrong(f"a lost worker ended the search: {(folder / 'errors.txt').read_text()[-300:]}")
            else:
                if code:
                    tally.wrong(f"not resumable: {(folder / 'errors.txt').read_text()[-300:]}")
                break
        tally.counts["searches"] += 1
        if finish(config, path, tally) and results(path) != expected:
            tally.wrong(f"differing results after {done} kills")
        left = [str(file) for file in folder.rglob(".*nncli-tmp")] + [
            str(run) for run in path.glob("trials/*/folds/*-*")
        ]
        if left:
            tally.wrong(f"leftovers: {left[:3]}")
        print(f"{done} kills, {tally.counts['wrong']} wrong", flush=True)
    tally.counts["kills"] += done


def sweep(folder: Path, trials: int, kills: int, seed: int, tally: Tally) -> None:
    """Kill one search of many trials, spread over its length, and watch the memory of its main process."""
    config, path, rng, began = written(folder, trials, 2), folder / "found", random.Random(seed), time.monotonic()
    moments = sorted(rng.sample(range(1, trials), min(kills, trials - 1)))
    sizes: dict[int, float] = {}
    process = start(config, path, 2)
    while process.poll() is None:
        time.sleep(0.2)
        proposed = sum(1 for _ in path.glob("trials/*.json"))
        sizes[proposed] = resident(process.pid)
        if moments and proposed > moments[0]:
            moments.pop(0)
            kill(rng, process, tally)
            tally.counts["kills"] += 1
            if process.poll() is not None:
                process = start(config, path, 2)
    if process.returncode:
        tally.wrong(f"the search ended: {(folder / 'errors.txt').read_text()[-300:]}")
    rows = (path / "trials.csv").read_text().splitlines()[1:]
    if [row.split(",")[0] for row in rows] != [str(number) for number in range(trials + 1)]:
        tally.wrong(f"{len(rows)} rows of {trials + 1} trials")
    seconds = (time.monotonic() - began) / trials
    early = max((size for proposed, size in sizes.items() if proposed <= 100), default=0.0)
    late = max((size for proposed, size in sizes.items() if proposed > trials - 20), default=0.0)
    print(f"{trials} trials, {seconds:.2f} s each; {early:.0f} MiB up to 100 trials, {late:.0f} MiB at the end")
    if late > early + MOST_GROWTH:
        tally.wrong(f"the main process grew from {early:.0f} to {late:.0f} MiB")
    tally.counts["trials"] += len(rows)


def main() -> int:
    """Kill as often as asked, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--kills-of-sweep", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tune-kills-") as name:
        if options.kills:
            kill_in_rounds(Path(name) / "rounds", options.kills, options.seed, tally)
        if options.trials:
            sweep(Path(name) / "sweep", options.trials, options.kills_of_sweep, options.seed, tally)
    for complaint in tally.complaints[:10]:
        print(complaint)
    for key in ("searches", "kills", "of one process", "trials", "wrong"):
        print(f"{key:16}{tally.counts[key]:8,}")
    return 1 if tally.counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
