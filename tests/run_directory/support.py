"""Run directories that are damaged on purpose, trained in parts, and compared."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from nncli.api.train import train
from nncli.fitting.train.events import Finished
from nncli.run_directory.manifest import (
    CHECKPOINTS,
    CHECKSUMMED,
    HEALTH,
    HISTORY,
    MANIFEST,
    METRICS,
    MODEL,
    WEIGHTS,
    checksum,
)
from tests.cli.support import ROOT, SECONDS

Damage = Callable[[bytes], bytes]


def changed(**values: Any) -> Damage:
    """Put values at dotted paths of a JSON file; `__` stands for the dot."""

    def damage(content: bytes) -> bytes:
        document = json.loads(content)
        for address, value in values.items():
            *way, last = address.split("__")
            node = document
            for step in way:
                node = node[int(step)] if isinstance(node, list) else node[step]
            node[int(last) if isinstance(node, list) else last] = value
        return json.dumps(document).encode()

    return damage


def signed(run: Path) -> None:
    """Give the manifest the checksums of the files as they are: the damage is then met where it is, not by its sum."""
    there = [name for name in CHECKSUMMED if (run / name).is_file()]
    sums = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in there}
    change_manifest(run, changed(files=sums))


def change_manifest(run: Path, change: Damage) -> None:
    """Change the manifest, and sign it."""
    document = json.loads(change((run / MANIFEST).read_bytes()))
    (run / MANIFEST).write_bytes(json.dumps({**document, "checksum": checksum(document)}).encode())


def damaged(run: Path, name: str, damage: Damage) -> None:
    """Damage a file, and sign it."""
    (run / name).write_bytes(damage((run / name).read_bytes()))
    signed(run)


def stop_at(*steps: int) -> Callable[[], bool]:
    """A wish to stop after so many batches, counted from where the training begins."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked in steps

    return stop


def checkpoints(run: Path) -> list[int]:
    """The steps that checkpoints were made at."""
    return sorted(int(path.stem) for path in (run / CHECKPOINTS).glob("*.safetensors"))


def outcome(run: Path) -> tuple[bytes, bytes, bytes, bytes, list[tuple[Any, ...]]]:
    """All that a training leads to: what must not depend on how often it was stopped."""
    history = pl.read_csv(run / HISTORY, infer_schema=False).drop("seconds")
    weights, model, metrics, health = ((run / name).read_bytes() for name in (WEIGHTS, MODEL, METRICS, HEALTH))
    return weights, model, metrics, health, history.rows()


def in_parts(config: Path, output: Path, *steps: int) -> Finished:
    """Train, stopping after each number of batches and going on."""
    finished = train(config, output=output, stop=stop_at(steps[0]))
    for more in steps[1:]:
        finished = train(resume=finished.run, stop=stop_at(more))
    return train(resume=finished.run)


def in_a_process_of_its_own(script: str, path: Path) -> tuple[str, int]:
    """What a script that is given `path` prints, and the bytes of memory that it had at the most."""
    program = (
        f"import sys\nfrom pathlib import Path\npath = Path(sys.argv[1])\n{script}\n"
        'print(*[line for line in open("/proc/self/status") if line.startswith("VmHWM")])'
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    printed, peak = done.stdout.strip().rsplit("\n", 1)
    return printed, int(peak.split()[1]) * 1024


def marked_table(folder: Path, rows: int = 240) -> Path:
    """A table whose cells and names are told apart wherever they are written.

    It has a category of three rows and one of a single row, a class of six rows, a number far from all others, a word
    of many rows and one in each row, and a column MARKDROP to be dropped.
    """
    rng = Random(0)
    lines = ["MARKNUM,MARKCAT,MARKTEXT,MARKDROP,MARKTARGET"]
    for i in range(rows):
        category = "rarecat" if i % 80 == 0 else "singlecat" if i == 7 else f"commoncat{i % 3}"
        number = 987654.25 if i == 11 else 500.0 + 100.0 * rng.random()
        text = f"{'frequentword' if i % 2 else 'otherword'} solo{i} plainword x{rng.randrange(9)}y"
        target = "rareclass" if i % 40 == 3 else rng.choice(("classa", "classb"))
        lines.append(f"{number},{category},{text},dropcell{i},{target}")
    folder.mkdir(parents=True)
    table = folder / "marktable.csv"
    table.write_text("\n".join(lines) + "\n", "utf-8")
    return table
