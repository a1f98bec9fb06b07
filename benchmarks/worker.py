"""A process that trains one network of one peer, and says, whenever it is asked, how fast.

A line that says `step` is answered with microseconds per step, over some tenths of a second of training; `peak` with
the operations per microsecond of a large float32 matrix product in the same process, on the same threads.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from peers import PEERS
from sizes import Size
from timing import environment, kept_to_cores

SQUARE = 1536
"""Rows and columns of the matrices of the peak's product."""


def peak() -> float:
    """Operations per microsecond: the best of some large products."""
    A = np.random.default_rng(0).normal(size=(SQUARE, SQUARE)).astype(np.float32)
    C = np.empty_like(A)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        np.dot(A, A, out=C)
        best = min(best, time.perf_counter() - start)
    return 2e-6 * SQUARE**3 / best


def work(title: str, size: Size, threads: int, seconds: float) -> None:
    """The process of one peer and one size."""
    learner = PEERS[title].set_up(size, *size.data(), threads)
    learner.train(1)  # compiles, allocates
    start = time.perf_counter()
    learner.train(1)
    epochs = max(1, round(seconds / (time.perf_counter() - start)))
    learner.train(epochs)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "peak":
            print(peak(), flush=True)
            continue
        start = time.perf_counter()
        learner.train(epochs)
        print(1e6 * (time.perf_counter() - start) / (epochs * size.steps), flush=True)


class Worker:
    """The parent's end of a worker."""

    def __init__(self, title: str, size: Size, threads: int, seconds: float) -> None:
        self._title = title
        with kept_to_cores(threads):
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__)), title, size.name, str(threads), str(seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(threads),
            )
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._title} ended with exit code {self._process.wait()}; its message is above")
        return line

    def _ask(self, question: str) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def step(self) -> float:
        """Microseconds per step, measured now."""
        return self._ask("step")

    def peak(self) -> float:
        """Operations per microsecond of a large matrix product, measured now."""
        return self._ask("peak")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


if __name__ == "__main__":
    work(sys.argv[1], Size.of(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
