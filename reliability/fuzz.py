"""Fuzzing with mutated configurations, tables and run directories; counts the answers that are not clean.

    python reliability/fuzz.py                            # 200,000 inputs in-process, 2,000 through the command
    python reliability/fuzz.py --inputs 2000 --command 20 # seconds

Inputs are valid ones after grammar-aware and byte-level mutation (mutate_inputs.py). The seed and the number of an
input determine it. In-process a configuration goes through load_config; a table through read_table, and through
read_chunks in pieces of a few rows, which must read the same rows where both can; a run directory through load_model,
and through a prediction where it loads. Through the command they go to train, --resume, predict and evaluate, each in a
process of its own, forked from a warm interpreter.

A clean answer is success or an NncliError whose message has no raw control character; a warning is not one. None may
take longer than 5 seconds, or more memory than 256 MiB and four times the input.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random

from fuzz_targets import answer, raw_characters, words_for
from harness import MIB, Outcome, run, warm
from mutate_inputs import config, run_directory, table
from training import prepare, train_words

SLOW, STUCK = 5.0, 30.0
ROOM = 256 * MIB
SHARES = {"config": 0.5, "table": 0.35, "run": 0.15}
FILES = ("manifest.json", "model.json", "model.safetensors", "config.yaml", "history.csv", "metrics.json")


@dataclass
class Found:
    """Counts of answers, and what was wrong with the others."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Field:
    """Where the fuzzing happens: a good training, and a folder for what is wrong."""

    folder: Path
    files: dict[str, bytes]
    keep: Path | None
    seed: int

    def input(self, number: int, home: Path) -> tuple[str, Path, int]:
        """Write input `number` below `home`; its kind, its path and its size."""
        rng = Random(f"{self.seed} {number}")
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        if kind == "run":
            path, size = home / "run", 0
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            for name, data in run_directory(self.files, rng).items():
                (path / name).write_bytes(data)
                size += len(data)
            return kind, path, size
        suffix, data = (".yaml", config(rng)) if kind == "config" else table(rng)
        path = home / f"input{suffix}"
        path.write_bytes(data)
        return kind, path, len(data)

    def report(self, result: Found, number: int, path: Path, what: str) -> None:
        """Note what is wrong, and keep the input."""
        result.counts["wrong: " + what.split(":")[0]] += 1
        result.wrong.append(f"input {number}, {path.name}: {what}")
        if self.keep is None:
            return
        name = hashlib.sha256(what[-300:].encode()).hexdigest()[:12]
        for file in [path] if path.is_file() else sorted(path.glob("*")):
            place = self.keep / f"{name}-{number}" / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
        (self.keep / f"{name}-{number}" / "what.txt").write_text(what)


def high_water() -> int:
    """The most memory this process has held since it was last asked."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def work(ground: Field, numbers: range, now: mmap.mmap) -> Found:
    """Answer the inputs of these numbers, noting in `now` which one is at work, and since when."""
    warnings.simplefilter("error")
    result = Found()
    home = ground.folder / f"worker-{os.getpid()}"
    home.mkdir()
    high_water()
    before = high_water()
    for number in numbers:
        kind, path, size = ground.input(number, home)
        begun = time.monotonic()
        now[:16] = struct.pack("ld", number, begun)
        try:
            result.counts[f"{kind}: {answer(kind, path)}"] += 1
        except BaseException:
            ground.report(result, number, path, f"traceback: {traceback.format_exc()}")
        peak, seconds = high_water(), time.monotonic() - begun
        if seconds > SLOW:
            ground.report(result, number, path, f"hang: {seconds:.1f} s")
        if peak - before > ROOM + 4 * size:
            ground.report(result, number, path, f"memory: {(peak - before) // MIB} MiB for {size} bytes")
        before = min(before, peak)
    return result


def in_process(ground: Field, numbers: range) -> Found:
    """Answer all inputs in a process of its own; one that dies or is stuck costs the input it was at."""
    total, context = Found(), get_context("fork")
    while numbers:
        now = mmap.mmap(-1, mmap.PAGESIZE)
        now[:16] = struct.pack("ld", numbers.start, time.monotonic())
        end, other = context.Pipe(duplex=False)
        part = numbers[:1000]
        process = context.Process(target=lambda part=part, now=now, to=other: to.send(work(ground, part, now)))
        process.start()
        other.close()
        while not end.poll(1.0) and process.is_alive():
            if time.monotonic() - struct.unpack("ld", now[:16])[1] > STUCK and process.pid:
                os.kill(process.pid, signal.SIGKILL)
        try:
            result = end.recv()
            numbers = numbers[len(part) :]
        except EOFError:
            at = struct.unpack("ld", now[:16])[0]
            result = Found(Counter({"wrong: died or stuck": 1}), [f"input {at}: the process died, or had to be killed"])
            numbers = numbers[(at - numbers.start) // numbers.step + 1 :]
        process.join()
        total.counts += result.counts
        total.wrong += result.wrong
    return total


def through_command(ground: Field, numbers: range, usual: int) -> Found:
    """Give inputs to commands, each in a process of its own; `usual` is what one of them holds that does nothing."""
    result = Found()
    home = ground.folder / f"command-{numbers.start}"
    home.mkdir()
    (home / "table.csv").write_bytes((ground.folder / "table.csv").read_bytes())
    for number in numbers:
        kind, path, size = ground.input(number, home)
        words = words_for(kind, path, ground.folder, Random(number))
        outcome: Outcome = run(words, timeout=STUCK)
        result.counts[f"{words[0]}: {outcome.code}"] += 1
        odd = raw_characters(outcome.errors + outcome.output)
        if not outcome.clean or odd:
            ground.report(result, number, path, f"unclean: {words}\n{odd[:1]} {outcome.code} {outcome.errors[-2000:]}")
        if outcome.seconds > SLOW:
            ground.report(result, number, path, f"hang: {words} {outcome.seconds:.1f} s")
        if outcome.peak > usual + ROOM + 4 * size:
            ground.report(result, number, path, f"memory: {words} {(outcome.peak - usual) // MIB} MiB")
    return result


def main() -> int:
    """Answer as many inputs as asked, print the counts, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=200_000, help="in-process")
    parser.add_argument("--command", type=int, default=2000, help="through the command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the inputs without a clean answer")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"
    warm()
    workers, wrong = options.workers, []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        prepare(folder, epochs=9)
        run(train_words(folder, folder / "whole"))
        files = {name: (folder / "whole" / name).read_bytes() for name in FILES}
        ground = Field(folder, files, options.keep, options.seed)
        usual = run(["--version"]).peak
        inner = [(ground, range(n, options.inputs, workers)) for n in range(workers)]
        last = options.inputs + options.command
        outer = [(ground, range(options.inputs + n, last, workers), usual) for n in range(workers)]
        for title, function, jobs in (("in-process", in_process, inner), ("command", through_command, outer)):
            begun, counts = time.monotonic(), Counter[str]()
            with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
                for result in pool.map(function, *zip(*jobs, strict=True)):
                    counts += result.counts
                    wrong += result.wrong
            answers = sum(n for key, n in counts.items() if not key.startswith("wrong: "))
            print(f"{title}: {answers:,} answers in {time.monotonic() - begun:.0f} s")
            for key, count in sorted(counts.items()):
                print(f"  {key:24}{count:9,}")
    for what in wrong[:20]:
        print(what)
    print(f"not clean: {len(wrong):,}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
