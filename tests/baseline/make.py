"""What nncli computes, as digests: `python -m tests.baseline.make [--tables FOLDER] [--check]`.

Trains by the command line: every shipped configuration, the default on the tables of a folder (TABLE/train.csv,
test.csv and meta.json with the target), a training that is interrupted and resumed, a cross-validation and a search. Of
each it takes the SHA-256 of the arrays, of the scores of each epoch and of the predictions. A change of the structure
of the code leaves them as they are. The bits of a training depend on the BLAS kernel, which is recorded beside them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("baseline.json")
TIMES = {"seconds"}
"""Columns of a history that are no result."""


def nncli(*arguments: str | Path) -> None:
    """Run a command, quietly; its error ends this program."""
    done = subprocess.run(
        [sys.executable, "-m", "nncli", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"nncli {' '.join(map(str, arguments))}\n{done.stderr}")


def digests(run: Path) -> dict[str, str]:
    """A digest of all weights, of all other arrays, of the histories and of the tables in a directory."""
    result: dict[str, list[str]] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.suffix == ".safetensors" and "checkpoints" not in name:
            kind = "weights" if path.stem == "model" else "arrays"
            for key, array in sorted(load_file(path).items()):
                content = f"{array.dtype} {array.shape}".encode() + array.tobytes()
                result.setdefault(kind, []).append(f"{name}:{key} {hashlib.sha256(content).hexdigest()}")
        elif path.name == "history.csv":
            with path.open() as file:
                rows = [[row[key] for key in row if key not in TIMES] for row in csv.DictReader(file)]
            result.setdefault("histories", []).append(f"{name} {hashlib.sha256(json.dumps(rows).encode()).hexdigest()}")
        elif path.name in ("trials.csv", "predictions.csv"):
            result.setdefault("tables", []).append(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return {kind: hashlib.sha256("\n".join(lines).encode()).hexdigest() for kind, lines in sorted(result.items())}


def trainings(folder: Path, tables: Path | None) -> Iterator[tuple[str, Path]]:
    """Train everything into a folder; yields a name and a directory each."""
    for config in sorted((ROOT / "configs").glob("*.yaml")):
        run = folder / config.stem
        nncli("train", config, "-o", run)
        table = next(line.split()[-1] for line in config.read_text().splitlines() if "path:" in line)
        nncli("predict", run, config.parent / table, "-o", run / "predictions.csv")
        yield config.stem, run
    for meta in [] if tables is None else sorted(tables.glob("*/meta.json")):
        run, target = folder / f"default-{meta.parent.name}", json.loads(meta.read_text())["target"]
        nncli("train", meta.parent / "train.csv", "-t", target, "-o", run)
        nncli("predict", run, meta.parent / "test.csv", "-o", run / "predictions.csv")
        yield run.name, run
    run = folder / "resumed"
    interrupted = subprocess.Popen(
        [sys.executable, "-m", "nncli", "train", "configs/spirals.yaml", "-o", run],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while interrupted.poll() is None and not (run / "history.csv").is_file():
        time.sleep(0.01)
    interrupted.send_signal(signal.SIGINT)
    interrupted.wait()
    nncli("train", "--resume", run)
    yield "resumed", run
    run = folder / "cross-validation"
    nncli("cross-validate", "configs/penguins.yaml", "--folds", "3", "--set", "epochs=5", "-o", run)
    yield "cross-validation", run
    run = folder / "search"
    nncli(
        *("tune", "configs/xor.yaml", "--trials", "4", "--search", "learning_rate=1e-3..1e-1:log"),
        *("--set", "epochs=20", "-o", run),
    )
    yield "search", run


def main() -> None:
    """Write the digests, or compare them with those that are committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    expected = json.loads(FILE.read_text()) if options.check else {}
    document: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        for training, run in trainings(Path(name), options.tables):
            document[training] = digests(run)
            document.setdefault("blas", json.loads(next(run.rglob("manifest.json")).read_text())["machine"]["blas"])
            state = "" if not options.check else "equal" if document[training] == expected[training] else "DIFFERENT"
            print(f"{training} {state}".rstrip(), flush=True)
    if not options.check:
        FILE.write_text(json.dumps(document, indent=1) + "\n")
    elif differing := [name for name in document if document[name] != expected[name]]:
        sys.exit(f"different from {FILE.name}: {', '.join(differing)}")


if __name__ == "__main__":
    main()
