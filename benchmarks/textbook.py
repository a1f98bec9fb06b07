"""How long is the textbook job, from the start of the process to the saved model?

    python benchmarks/textbook.py

data/linear.csv, 128 rows of x1, x2, y; one dense unit with a sigmoid; mean squared error; plain gradient descent at
0.01; batches of 32; 1000 epochs, which is 4000 steps. nncli, which also reads a configuration, checks its input and
writes a run directory, stands beside the same job written by hand in NumPy, PyTorch and Keras: textbook_*.py. Runs go
from peer to peer, each in a fresh process with one thread; the table shows medians.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NNCLI = "from nncli.cli.app import main; main()"

Command = Callable[[Path, Path], list[str]]
"""The arguments behind the interpreter, for a CSV file and a folder that waits for the model."""


def nncli(data: Path, folder: Path) -> list[str]:
    config = ROOT / "configs" / "linear.yaml"
    return ["-c", NNCLI, "train", str(config), "--set", f"data.path={data}", "-o", str(folder / "run")]


def script(name: str) -> Command:
    return lambda data, folder: [str(HERE / f"textbook_{name}.py"), str(data), str(folder)]


@dataclass(frozen=True)
class Peer:
    """One way to do the job: its title, the packages that it needs, and its command."""

    title: str
    packages: tuple[str, ...]
    command: Command


PEERS = (
    Peer("nncli", ("numpy",), nncli),
    Peer("NumPy by hand", ("numpy",), script("numpy")),
    Peer("PyTorch", ("torch",), script("torch")),
    Peer("Keras", ("keras", "jax"), script("keras")),
)


def environment() -> dict[str, str]:
    """One thread for every library, and nncli from this folder."""
    # OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, where present, hold BLAS to an older kernel
    kept = {k: v for k, v in os.environ.items() if k not in {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, **threads, "PYTHONPATH": paths, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}


def measure(peer: Peer, data: Path) -> float:
    """Seconds of one run; raises SystemExit with the peer's own words when it fails or leaves no model."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *peer.command(data, Path(folder))]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        seconds = time.perf_counter() - start
        if done.returncode or not any(Path(folder).iterdir()):
            raise SystemExit(f"{peer.title} failed with exit code {done.returncode}\n{done.stderr}")
    return seconds


def versions(peer: Peer) -> str:
    """The packages of a peer with their versions."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in peer.packages)


def main() -> None:
    """Measure everyone and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="runs of every peer (default 9)")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "linear.csv", help="the table to train on")
    options = parser.parse_args()

    peers = [peer for peer in PEERS if all(importlib.util.find_spec(name) for name in peer.packages)]
    data = options.data.resolve()
    for peer in peers:
        measure(peer, data)  # the first run fills the caches of files
    found: dict[str, list[float]] = {peer.title: [] for peer in peers}
    for _ in range(options.runs):
        for peer in peers:
            found[peer.title].append(measure(peer, data))
    medians = {title: median(seconds) for title, seconds in found.items()}

    print(f"The textbook job, whole process, one thread, medians of {options.runs}, Python {platform.python_version()}")
    print(f"{'':<16}{'seconds':>10}{'fastest':>10}{'/ by hand':>12}{'/ nncli':>10}")
    for peer in peers:
        seconds = medians[peer.title]
        by_hand, ours = seconds / medians["NumPy by hand"], seconds / medians["nncli"]
        fastest = min(found[peer.title])
        print(f"{peer.title:<16}{seconds:>10.3f}{fastest:>10.3f}{by_hand:>11.2f}x{ours:>9.2f}x   {versions(peer)}")


if __name__ == "__main__":
    main()
