"""Many files predicted: one worker, two, a Dask cluster of two, and all rows in one file.

    python benchmarks/sources_predict.py

Whole commands, from start to end, on the same files: processor time that the starts of processes add is counted. The
workers of the cluster are there before; a first command, which is not measured, lets them import what they need.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from statistics import median

from results import Goal, Report, show
from timing import COMMAND, ROOT, environment, in_rounds, make_csv, parser, ratio, run

FILES, ROWS, COLUMNS = 64, 5_000, 12
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
"""A scheduler and two workers, until the standard input is closed."""


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a Dask scheduler on this machine, with two workers of one thread."""
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(1), cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def make_inputs(folder: Path, scale: float) -> tuple[Path, Path, Path]:
    """A trained run, a folder of files, and one file with all their rows."""
    training, whole, parts = folder / "train.csv", folder / "whole.csv", folder / "in"
    rows = max(10, int(ROWS * scale))
    make_csv(training, rows=4_000, numeric=COLUMNS, text=4, classes=2)
    make_csv(whole, rows=FILES * rows, numeric=COLUMNS, text=4, classes=2)
    settings = ("--quality", "fast", "--set", "epochs=4")
    run([*COMMAND, "train", training, "--target", "y", *settings, "-q", "-o", folder / "run"])
    header, *lines = whole.read_text().splitlines(keepends=True)
    parts.mkdir()
    for i in range(FILES):
        (parts / f"part-{i:02}.csv").write_text(header + "".join(lines[i * rows : (i + 1) * rows]))
    return folder / "run", parts, whole


def seconds(output: Path, *words: str | Path) -> float:
    """The seconds of a command that writes to an output, which is not there before."""
    rmtree(output, ignore_errors=True)
    output.unlink(missing_ok=True)
    return run([*COMMAND, "predict", *words, "-q", "-o", output if output.suffix else f"{output}/"]).seconds


def predict_files_figures(rounds: int = 3, scale: float = 1.0) -> Report:
    """Times of the commands and their ratios; checks that all answers are the same bytes."""
    with tempfile.TemporaryDirectory() as name, cluster(Path(name)) as scheduler:
        folder = Path(name)
        trained, parts, whole = make_inputs(folder, scale)
        cases: dict[str, Callable[[], float]] = {
            "one worker": partial(seconds, folder / "one", trained, parts, "--workers", "1"),
            "two workers": partial(seconds, folder / "two", trained, parts, "--workers", "2"),
            "Dask, two workers": partial(seconds, folder / "dask", trained, parts, "--scheduler", scheduler),
            "one file of all rows": partial(seconds, folder / "whole-answers.csv", trained, whole),
        }
        cases["Dask, two workers"]()
        result = in_rounds(cases, rounds)
        for i in range(FILES):
            answers = {(folder / case / f"part-{i:02}.csv").read_bytes() for case in ("one", "two", "dask")}
            assert len(answers) == 1, f"the answers of file {i} differ"
    single = result["one worker"]
    rows = FILES * max(10, int(ROWS * scale))
    return Report(
        "Many files predicted",
        f"{FILES} CSV files of {rows // FILES:,} rows and {COLUMNS + 4} columns, by an ensemble of four; whole "
        f"commands, median of {rounds}. A worker uses one core; one file alone uses all.",
        ("case", "seconds", "rows a second", "× one worker"),
        [(case, median(times), rows / median(times), ratio(single, times)) for case, times in result.items()],
        [
            Goal("64 files on two workers", ratio(single, result["two workers"]), "≥", 1.8),
            Goal("64 files on a Dask cluster of two workers", ratio(single, result["Dask, two workers"]), "≥", 1.6),
        ],
    )


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, rounds=3)
    arguments.add_argument("--scale", type=float, default=1.0, help="rows of each file, as a share (default 1)")
    chosen = arguments.parse_args()
    show([predict_files_figures(chosen.rounds, chosen.scale)])


if __name__ == "__main__":
    main()
