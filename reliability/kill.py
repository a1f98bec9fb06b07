"""Kill tests: `nncli train` is killed at random moments, and nothing may be lost.

    python reliability/kill.py                  # 2,000 kills
    python reliability/kill.py --kills 60       # some seconds

Every kill is a real SIGKILL of a real process. Half of them come at a random moment. The other half are aimed at
saves: the process is killed just before, just after, or in the midst of a random one of its system calls that open,
write, sync, rename, make or remove something in the run's folder. A training is killed up to a dozen times in a row,
`--resume` included, also once it has finished, and then brought to its end. To be quick the training is tiny (360
steps, a checkpoint every 20) and nineteen of twenty processes are forked from a warm interpreter (see harness.py); the
rest are started from nothing.

After every kill the run directory, if there is one yet, must be readable, and hold a checkpoint no further back than
one interval; in the end its files must have the bits of the training that nobody killed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness import LIBRARY, Fault, Outcome, forget_shim, run, warm, with_shim
from python_faults import KILL_AFTER, KILL_BEFORE, KILL_HALFWAY, Calls
from training import (
    INTERVAL,
    Bits,
    bits,
    checkpoint_steps,
    go_on,
    leftovers,
    prepare,
    resume_words,
    train_words,
)
from training import unreadable as why_unreadable

MOST_IN_A_ROW = 12


@dataclass(frozen=True)
class Undisturbed:
    """What the training is when nobody kills it: its bits, its system calls, and how long it takes."""

    bits: Bits
    calls: int
    warm_seconds: float
    cold_seconds: float


@dataclass
class Tally:
    """What came of one training's kills."""

    counts: Counter[str] = field(default_factory=Counter)
    most_lost: int = 0
    complaints: list[str] = field(default_factory=list)

    def wrong(self, kind: str, message: str) -> None:
        """Count a broken promise."""
        self.counts[kind] += 1
        self.complaints.append(f"{kind}: {message}")


def measure(folder: Path) -> Undisturbed:
    """Train undisturbed, warm and cold; both must have the same bits."""
    prepare(folder, epochs=30)
    outcomes, result = [], []
    for name, cold in (("warm", False), ("cold", True)):
        path = folder / name / "run"
        path.parent.mkdir()
        fault = None if cold else Fault(path.parent, Calls.ALL, 0, KILL_BEFORE)
        outcomes.append(run(train_words(folder, path), fault=fault, cold=cold))
        result.append(bits(path))
        shutil.rmtree(path.parent)
    if result[0] != result[1]:
        raise SystemExit("a forked process and a cold one disagree about the bits")
    return Undisturbed(result[0], outcomes[0].calls, outcomes[0].seconds, outcomes[1].seconds)


def strike(rng: random.Random, words: list[str], home: Path, undisturbed: Undisturbed, tally: Tally) -> Outcome:
    """Run the command and kill it, unless it ends before."""
    cold = rng.random() < 0.05
    in_save = rng.random() < 0.55 and (not cold or LIBRARY in os.environ)
    if in_save:
        # Nearly all of a whole training's calls, or the first few, so that resumed trainings are met as well.
        nth = rng.randint(1, undisturbed.calls if rng.random() < 0.5 else 1 + undisturbed.calls // 8)
        action = rng.choice([KILL_BEFORE, KILL_AFTER, KILL_HALFWAY])
        outcome = run(words, fault=Fault(home, Calls.ALL, nth, action), cold=cold)
    else:
        longest = undisturbed.cold_seconds if cold else undisturbed.warm_seconds
        outcome = run(words, kill_after=rng.uniform(0.4 * longest if cold else 0.0, longest), cold=cold)
    if outcome.code == -signal.SIGKILL:
        tally.counts["kills"] += 1
        tally.counts["in saves"] += in_save
        tally.counts["cold"] += cold
        tally.counts["during resume"] += words[1] == "--resume"
    elif outcome.code:
        tally.wrong("not resumable", f"exit code {outcome.code}: {outcome.errors}")
    return outcome


def one_training(undisturbed: Undisturbed, folder: Path, seed: int) -> Tally:
    """Begin a training, kill it some times in a row, bring it to its end, and compare."""
    rng, tally = random.Random(seed), Tally()
    home = folder / str(seed)
    home.mkdir()
    path, before = home / "run", 0
    for _ in range(rng.randint(1, MOST_IN_A_ROW)):
        words = resume_words(path) if path.exists() else train_words(folder, path)
        outcome = strike(rng, words, home, undisturbed, tally)
        if not path.exists():
            continue
        why = why_unreadable(path)
        if why is not None:
            tally.wrong("unreadable", why)
            continue
        latest = max(checkpoint_steps(path), default=0)
        if outcome.code and outcome.step:  # known of forked processes that have taken a step
            tally.most_lost = max(tally.most_lost, outcome.step - latest)
        if latest < before:
            tally.wrong("gone back", f"from a checkpoint of step {before} to {latest}")
        before = latest
    ended = go_on(folder, path)
    if ended.code:
        tally.wrong("not resumable", f"exit code {ended.code}: {ended.errors}")
    elif bits(path) != undisturbed.bits:
        tally.wrong("differing", f"the bits of training {seed}")
    if leftovers(home):
        tally.wrong("leftovers", str(leftovers(home)))
    tally.counts["trainings"] += 1
    shutil.rmtree(home)
    return tally


def main() -> int:
    """Kill as often as asked, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with_shim()
    warm()
    total = Tally()
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        folder = Path(name)
        undisturbed = measure(folder)
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(options.workers, mp_context=context) as pool:
            seed = options.seed
            while total.counts["kills"] < options.kills:
                batch = range(seed, seed + 2 * options.workers)
                seed = batch.stop
                for tally in pool.map(partial(one_training, undisturbed, folder), batch):
                    total.counts += tally.counts
                    total.most_lost = max(total.most_lost, tally.most_lost)
                    total.complaints += tally.complaints
    forget_shim()
    for complaint in total.complaints[:10]:
        print(complaint)
    good = ("trainings", "kills", "in saves", "during resume", "cold")
    bad = ("unreadable", "not resumable", "differing", "gone back", "leftovers")
    for key in (*good, *bad):
        print(f"{key:16}{total.counts[key]:8,}")
    print(f"{'most steps lost':16}{total.most_lost:8,}  of an interval of {INTERVAL}")
    broken = any(total.counts[key] for key in bad) or total.most_lost > INTERVAL
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
