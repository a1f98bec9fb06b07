"""Time of a whole training, from the start of the process to the saved network, compared with other libraries.

    python benchmarks/end_to_end.py
    python benchmarks/end_to_end.py --threads 1 --rounds 1 --sizes 2-16-1/32 --peers nncli PyTorch

20,000 rows of a CSV, 20 epochs of Adam on all of them, no validation rows. nncli runs as usual: it checks the
configuration and the table, writes checkpoints and a run directory, and scores the trained model. The peers only read,
train and save (end_to_end_job.py). JAX and Keras keep compiled code between processes, as the guide to JAX's persistent
cache says, and so does Numba; a first run, which does not count, fills all caches. nncli chooses its number of threads
up to 2.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from peers import FAST, NNCLI, PEERS, installed
from results import Cell, Goal, Report, show
from sizes import RATE, SIZES, Size
from timing import COMMAND, HERE, Run, accepted, in_rounds, make_csv, parser, ratio, run

FACTORS = {SIZES[0].name: 3.0, SIZES[1].name: 3.0}
"""By how much nncli is to be ahead of every peer, if not by 1."""


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=5)
    options_parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of every library (default 1 2)")
    options_parser.add_argument("--sizes", type=Size.of, nargs="+", default=SIZES, help="such as 2-16-1/32")
    options_parser.add_argument("--peers", nargs="+", choices=PEERS, help="default: all that are installed")
    options_parser.add_argument("--rows", type=int, default=20_000, help="of the table (default 20000)")
    options_parser.add_argument("--epochs", type=int, default=20, help="(default 20)")
    return options_parser


def configuration(size: Size, table: Path, epochs: int) -> str:
    """The job for nncli."""
    return f"""data: {{path: {table}, target: y}}
validation: 0
layers: {list(size.widths[1:-1])}
loss: {"mse" if size.is_regression else "cross_entropy"}
optimizer: adam
learning_rate: {RATE}
batch_size: {size.batch}
epochs: {epochs}
"""


def words_of(title: str, size: Size, table: Path, epochs: int, threads: int) -> Callable[[Path], list[str | Path]]:
    """The arguments behind the interpreter, for a folder that waits for the network."""
    if title in {NNCLI, FAST}:
        config = table.with_suffix(".yaml")
        config.write_text(configuration(size, table, epochs))
        backend = accepted(PEERS[title].setting or "")
        settings = [*backend, "--set", f"threads={1 if threads == 1 else 'auto'}"]
        return lambda folder: [*COMMAND, "train", config, *settings, "-o", folder / "run"]
    numbers = [str(epochs), str(threads)]
    return lambda folder: [HERE / "end_to_end_job.py", title, size.name, table, folder, *numbers]


def once(words: Callable[[Path], list[str | Path]], threads: int, cache: Path) -> Run:
    """One run of a job, into a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(
            words(Path(folder)),
            threads=threads,
            JAX_COMPILATION_CACHE_DIR=str(cache),
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
            JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
        )
        if not any(Path(folder).iterdir()):
            raise SystemExit("no network was saved")
    return done


def goals(seconds: dict[str, list[float]], size: Size, threads: int) -> Iterator[Goal]:
    """Ahead of every peer, and by more on the small networks."""
    others = [title for title in seconds if title not in {NNCLI, FAST}]
    for title in (NNCLI, FAST):
        if title in seconds and others:
            times = {other: ratio(seconds[other], seconds[title]) for other in others}
            nearest = min(times, key=lambda other: times[other])
            where = f"{size.name}, {threads} thread{'s'[: threads > 1]}"
            wanted = FACTORS.get(size.name, 1.0)
            yield Goal(f"{where}: {title} ahead of the nearest, {nearest}", times[nearest], "≥", wanted)


def measure(options: argparse.Namespace) -> list[Report]:
    titles = installed(options.peers)
    rows: list[list[Cell]] = []
    memory: list[list[Cell]] = []
    reached: list[Goal] = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            table, cache = Path(name) / "table.csv", Path(name) / "cache"
            make_csv(table, rows=options.rows, numeric=size.widths[0], classes=size.widths[-1])
            for threads in options.threads:
                words = {title: words_of(title, size, table, options.epochs, threads) for title in titles}
                jobs = {title: partial(once, words[title], threads, cache) for title in titles}
                for job in jobs.values():
                    job()  # fills the caches
                runs = in_rounds(jobs, options.rounds)
                seconds = {title: [done.seconds for done in runs[title]] for title in titles}
                where: list[Cell] = [size.name, str(threads)]
                rows.append([*where, *(median(seconds[title]) for title in titles)])
                memory.append([*where, *(median(done.mib for done in runs[title]) for title in titles)])
                reached += goals(seconds, size, threads)
    columns = ["network / batch", "threads", *titles]
    note = (
        f"Seconds from the start of the process to the saved network: {options.rows:,} rows read from a CSV, "
        f"{options.epochs} epochs; medians of {options.rounds} rounds."
    )
    peak = "Peak memory of the same processes in MiB."
    return [
        Report("A whole training", note, columns, rows, reached),
        Report("A whole training: memory", peak, columns, memory),
    ]


if __name__ == "__main__":
    show(measure(arguments().parse_args()))
