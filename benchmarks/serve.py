"""How fast `nncli serve` answers, beside MLflow's server of the same run and FastAPI around a network of scikit-learn.

    python benchmarks/serve.py --peers-python PYTHON --json FILE

PYTHON is that of an environment with mlflow, fastapi, uvicorn, scikit-learn and the dependencies of nncli; without it,
or without one of them, the comparisons are left out. All servers run at the same time, and are asked in turn.
wrk makes the load of many clients. About ten minutes, of which overload is one.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from results import Report, show
from serve_clients import WRK, Post
from serve_reports import (
    Peers,
    report_bulk,
    report_latency,
    report_overload,
    report_rate,
    report_reliability,
    report_start,
)
from serve_servers import NoServerError, Server, echo_server, nncli_server, peer_server
from timing import COMMAND, HERE, FailedError, cores, make_csv, parser, run

NUMBERS, WORDS, TARGET = 15, 5, "y"
PARTS = ("latency", "rate", "bulk", "overload", "start", "reliability")
SINGLE_ROWS = 200
"""Different rows that are asked in turn."""
CSV_ROWS = 1000


@dataclass(frozen=True)
class Work:
    """The table and the runs, and what is asked of them."""

    folder: Path
    table: Path
    ensemble: Path
    network: Path

    @property
    def rows(self) -> list[dict[str, float | str]]:
        """The first rows as objects."""
        with self.table.open() as file:
            rows = [row for _, row in zip(range(SINGLE_ROWS), csv.DictReader(file), strict=False)]
        return [
            {name: float(cell) if name.startswith("x") else cell for name, cell in row.items() if name != TARGET}
            for row in rows
        ]

    @property
    def singles(self) -> list[Post]:
        """One row a request."""
        return [Post("/predict", json.dumps(row).encode()) for row in self.rows]

    @property
    def mlflow_singles(self) -> list[Post]:
        """The same as MLflow has it."""
        return [Post("/invocations", json.dumps({"dataframe_records": [row]}).encode()) for row in self.rows]

    @property
    def tables(self) -> list[Post]:
        """A thousand rows a request, as CSV."""
        header, *lines = self.table.read_bytes().splitlines(keepends=True)
        starts = range(0, len(lines) - CSV_ROWS + 1, CSV_ROWS)[:8]
        return [Post("/predict", header + b"".join(lines[i : i + CSV_ROWS]), "text/csv") for i in starts]


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=3)
    options_parser.add_argument("--peers-python", type=Path, help="the interpreter of an environment with the peers")
    options_parser.add_argument(
        "--run", type=Path, help="a run of an ensemble on the table of --table, instead of training one"
    )
    options_parser.add_argument("--network", type=Path, help="the same for a run of one network")
    options_parser.add_argument(
        "--table", type=Path, help="the table of the runs: columns x… of numbers, t… of words, and y"
    )
    options_parser.add_argument("--rows", type=int, default=10_000, help="of the table that is made (default 10,000)")
    options_parser.add_argument(
        "--set", action="append", default=[], help="a setting of the trainings (default epochs=1)"
    )
    options_parser.add_argument("--seconds", type=float, default=5.0, help="of one measurement (default 5)")
    options_parser.add_argument("--overload", type=float, default=60.0, help="seconds of the overload (default 60)")
    options_parser.add_argument(
        "--restarts", type=int, default=20_000, help="requests across restarts (default 20,000)"
    )
    options_parser.add_argument("--hostile", type=int, default=20_000, help="hostile requests (default 20,000)")
    options_parser.add_argument(
        "--bulk-rows", type=int, default=200_000, help="that nncli predict predicts (default 200,000)"
    )
    options_parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options_parser.add_argument("--json", type=Path, help="a file for the figures")
    return options_parser


def prepare(options: argparse.Namespace, folder: Path) -> Work:
    """The table and the two runs, made unless they are given."""
    table = options.table or make_csv(folder / "table.csv", rows=options.rows, numeric=NUMBERS, text=WORDS, classes=1)
    settings = [word for setting in options.set or ["epochs=1"] for word in ("--set", setting)]

    def trained(given: Path | None, name: str, *words: str) -> Path:
        if given is None:
            print(f"training {name} …", file=sys.stderr)
            run([*COMMAND, "train", table, "--target", TARGET, "-q", "-o", folder / name, *settings, *words])
        return given or folder / name

    return Work(
        folder, table, trained(options.run, "ensemble"), trained(options.network, "network", "--set", "members=1")
    )


@contextmanager
def peers(python: Path | None, work: Work) -> Iterator[Peers]:
    """The servers of others; none without an interpreter, and a message for one that does not start."""
    with ExitStack() as stack:
        result: dict[str, Server] = {}
        versions = ""
        if python is not None:
            saved = work.folder / "mlflow"
            try:
                versions = run([HERE / "serve_peers.py", "check"], interpreter=python).output.strip()
                run([HERE / "serve_peers.py", "mlflow-save", work.ensemble, saved], interpreter=python)
            except FailedError as error:
                print(f"without peers: {error}", file=sys.stderr)
                python = None
        if python is not None:
            jobs = {
                "MLflow": (("mlflow", saved), work.mlflow_singles),
                "FastAPI": (("fastapi", work.table), work.singles),
            }
            for title, (words, posts) in jobs.items():
                try:
                    result[title] = stack.enter_context(peer_server(title, python, words, posts[0]))
                except NoServerError as error:
                    print(f"without {title}: {error}", file=sys.stderr)
        yield Peers(result, versions)


def measure(options: argparse.Namespace, folder: Path) -> Iterator[Report]:
    """All parts, in the order of `PARTS`; one that fails is left out, with a message."""
    work = prepare(options, folder)
    seconds, rounds = options.seconds, options.rounds
    with ExitStack() as stack:
        ensemble = stack.enter_context(nncli_server(work.ensemble, work.singles[0]))
        network = stack.enter_context(nncli_server(work.network, work.singles[0]))

        def latency() -> Report:
            with echo_server(work.singles[0]) as echo:
                servers = {"default ensemble": ensemble, "one network": network, "only the client": echo}
                return report_latency(servers, work.singles, seconds, rounds)

        def rate() -> Report:
            with peers(options.peers_python, work) as others:
                asked = {"MLflow": work.mlflow_singles}
                return report_rate(ensemble, network, others, work.singles, asked, seconds, rounds)

        parts: dict[str, Callable[[], Report]] = {
            "latency": latency,
            "rate": rate,
            "bulk": lambda: report_bulk(
                ensemble, work.tables, work.ensemble, options.bulk_rows, folder, seconds, rounds
            ),
            "overload": lambda: report_overload(ensemble, work.singles, options.overload, seconds),
            "start": lambda: report_start(work.ensemble, work.singles, rounds),
            "reliability": lambda: report_reliability(options.restarts, options.hostile),
        }
        for title, part in parts.items():
            if title in options.only:
                print(f"measuring {title} …", file=sys.stderr)
                try:
                    yield part()
                except Exception:  # the other figures are worth having
                    print(f"without {title}: {traceback.format_exc()}", file=sys.stderr)


def written(reports: Sequence[Report], path: Path) -> None:
    """The figures as JSON."""
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {cores()} cores",
        "python": platform.python_version(),
    }
    path.write_text(json.dumps({"made": record, "reports": [report.plain for report in reports]}, indent=1) + "\n")


def main() -> None:
    options = arguments().parse_args()
    if WRK is None:
        sys.exit("the load is made by wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        reports = list(measure(options, Path(name)))
    show(reports)
    print("| figure | goal | measured |\n|---|---:|---:|")
    for goal in (goal for report in reports for goal in report.goals):
        mark = "" if goal.is_met else " **no**"
        print(f"| {goal.figure} | {goal.sense} {goal.limit:g}{goal.unit} | {goal.value:.3g}{goal.unit}{mark} |")
    if options.json:
        written(reports, options.json)


if __name__ == "__main__":
    main()
