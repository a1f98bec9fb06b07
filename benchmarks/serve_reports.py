"""The parts of serve.py: what is asked of which server, and the goals."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from results import Cell, Goal, Report
from serve_clients import Connection, Load, Post, end_wrk, latencies, start_wrk, wrk
from serve_servers import Server, nncli_server
from timing import COMMAND, HERE, FailedError, in_rounds, ratio, run

CLIENTS = 16
CSV_CLIENTS = 4
OVERLOAD, OVERLOAD_CLIENTS = 10, 400
"""How many times the rate is asked, by clients of whom no more than a third find room in the queue."""
RELIABILITY = HERE.parent / "reliability"


@dataclass(frozen=True)
class Peers:
    """The servers of others by title, and their versions."""

    servers: Mapping[str, Server]
    versions: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all do not exceed; 0 without any."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def report_latency(servers: Mapping[str, Server], posts: Sequence[Post], seconds: float, rounds: int) -> Report:
    """One client, one row a request."""
    tasks = {title: partial(latencies, server.port, posts, seconds) for title, server in servers.items()}
    result = {title: [t for times in lists for t in times] for title, lists in in_rounds(tasks, rounds).items()}
    rows: list[Sequence[Cell]] = [
        (title, percentile(times, 0.5), percentile(times, 0.9), percentile(times, 0.99), float(len(times)))
        for title, times in result.items()
    ]
    limits = {"default ensemble": (5.0, 15.0), "one network": (1.5, 5.0)}
    goals = [
        Goal(f"one row, one client, {title}, p{share * 100:.0f}", percentile(result[title], share), "≤", limit, " ms")
        for title, both in limits.items()
        for share, limit in zip((0.5, 0.99), both, strict=True)
    ]
    note = "Milliseconds from the first byte of the request to the last of the answer; one client, without a pause."
    return Report("One row, one client", note, ("server", "p50", "p90", "p99", "requests"), rows, goals)


def report_rate(
    ensemble: Server,
    network: Server,
    peers: Peers,
    posts: Sequence[Post],
    other_posts: Mapping[str, Sequence[Post]],
    seconds: float,
    rounds: int,
) -> Report:
    """Sixteen clients, one row a request."""
    servers = {"nncli, default ensemble": ensemble, "nncli, one network": network, **peers.servers}
    tasks = {
        title: partial(wrk, server.port, other_posts.get(title, posts), CLIENTS, seconds)
        for title, server in servers.items()
    }
    for task in tasks.values():
        task()  # every server has answered before
    result: dict[str, list[Load]] = in_rounds(tasks, rounds)
    rows: list[Sequence[Cell]] = [
        (
            title,
            median(load.rate for load in loads),
            median(load.p50 for load in loads),
            median(load.p99 for load in loads),
            float(sum(load.refused + load.failed for load in loads)),
        )
        for title, loads in result.items()
    ]
    rates = {title: [load.rate for load in loads] for title, loads in result.items()}
    pairs = (("nncli, default ensemble", "MLflow", 3.0), ("nncli, one network", "FastAPI", 2.0))
    goals = [
        Goal(f"rows a second, {CLIENTS} clients: {mine} ÷ {other}", ratio(rates[mine], rates[other]), "≥", limit)
        for mine, other, limit in pairs
        if other in rates
    ]
    note = (
        f"{CLIENTS} connections of wrk, each with one request at a time. MLflow serves the same ensemble; FastAPI "
        f"wraps a Pipeline with one network of 256-256-256 units. {peers.versions}"
    )
    columns = ("server", "rows a second", "p50 ms", "p99 ms", "failed")
    return Report(f"One row a request, {CLIENTS} clients", note.strip(), columns, rows, goals)


def report_bulk(
    server: Server, posts: Sequence[Post], run_path: Path, bulk_rows: int, folder: Path, seconds: float, rounds: int
) -> Report:
    """A thousand rows a request, beside `nncli predict` of the same rows."""
    rows_a_post = posts[0].body.count(b"\n") - 1
    header, _, _ = posts[0].body.partition(b"\n")
    rows = b"".join(post.body.partition(b"\n")[2] for post in posts)
    files = {count: folder / f"{count}.csv" for count in (rows_a_post, bulk_rows)}
    for count, file in files.items():
        lines = rows.splitlines(keepends=True)
        file.write_bytes(header + b"\n" + b"".join((lines * (count // len(lines) + 1))[:count]))

    def served() -> float:
        load = wrk(server.port, posts, CSV_CLIENTS, seconds)
        assert not load.failed
        assert not load.refused
        return load.rate * rows_a_post

    def predicted() -> float:
        """Rows a second without the start: the difference of many rows and few."""
        few, many = (
            run([*COMMAND, "predict", run_path, file, "-o", folder / "out.csv", "--force", "-q"]).seconds
            for file in files.values()
        )
        return (bulk_rows - rows_a_post) / (many - few)

    result = in_rounds({"served": served, "predicted": predicted}, rounds)
    title = f"rows a second, requests of {rows_a_post:,} rows (CSV) ÷ nncli predict"
    goals = [Goal(title, ratio(result["served"], result["predicted"]), "≥", 0.7)]
    table: list[Sequence[Cell]] = [
        (f"nncli serve, {CSV_CLIENTS} clients, {rows_a_post:,} rows of CSV a request", median(result["served"])),
        (f"nncli predict, {bulk_rows:,} rows of CSV, without its start", median(result["predicted"])),
    ]
    return Report("Many rows a request", "The default ensemble.", ("", "rows a second"), table, goals)


def report_start(run_path: Path, posts: Sequence[Post], rounds: int) -> Report:
    """From the start of the process to the first answer, and its memory."""
    seconds, before, after = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        with nncli_server(run_path, posts[0]) as server:
            seconds.append(server.first_answer)
            before.append(server.mib)
            latencies(server.port, posts, 2.0)
            after.append(server.mib)
    goals = [
        Goal("first answer after the start", median(seconds), "≤", 1.0, " s"),
        Goal("resident memory after single rows", median(after), "≤", 200.0, " MiB"),
    ]
    rows: list[Sequence[Cell]] = [
        ("first answer, seconds after the start", median(seconds)),
        ("resident after the first answer, MiB", median(before)),
        ("resident after single rows for two seconds, MiB", median(after)),
    ]
    return Report("Start", "The default ensemble.", ("", ""), rows, goals)


def report_overload(server: Server, posts: Sequence[Post], seconds: float, window: float) -> Report:
    """Ten times as many requests as the server answers, and what is refused meanwhile as a client of ours sees it."""
    before = wrk(server.port, posts, CLIENTS, window)
    clients, wanted = OVERLOAD_CLIENTS, OVERLOAD * max(before.rate, 1.0)
    process = start_wrk(server.port, posts, clients, seconds, delay=clients / wanted)
    refused, answered, peak = list[float](), list[float](), 0.0
    with Connection(server.port) as connection:
        while process.poll() is None:
            answer = connection.post(posts[0])
            (refused if answer.status == 503 else answered).append(1e3 * answer.seconds)
            peak = max(peak, server.mib)
            time.sleep(0.01)
    during = end_wrk(process)
    time.sleep(1.0)
    after = wrk(server.port, posts, CLIENTS, window)
    rows: list[Sequence[Cell]] = [
        ("rows a second before", before.rate),
        (
            "requests a second during the overload, ÷ the rate before",
            during.requests / during.seconds / max(before.rate, 1.0),
        ),
        ("answers of 2xx a second during the overload", during.rate),
        ("connections that failed during the overload", float(during.failed)),
        ("refused: p50 ms", percentile(refused, 0.5)),
        ("refused: p99 ms", percentile(refused, 0.99)),
        ("refused: slowest ms", max(refused, default=0.0)),
        ("answered: p50 ms", percentile(answered, 0.5)),
        ("requests of the measuring client, refused / all", f"{len(refused):,} / {len(refused) + len(answered):,}"),
        ("highest resident memory, MiB", peak),
        ("rows a second from one second after the overload on", after.rate),
    ]
    goals = [
        Goal("overload: highest resident memory", peak, "≤", 300.0, " MiB"),
        Goal("overload: refused requests answered within, p99", percentile(refused, 0.99), "≤", 50.0, " ms"),
        Goal("overload: rate one second later ÷ before", after.rate / max(before.rate, 1.0), "≥", 0.9),
    ]
    note = (
        f"{clients} connections of wrk that pause at random, so that {OVERLOAD} times the rate is asked if answers "
        "take no time; refused and answered are requests of one further client, ten milliseconds after one another."
    )
    return Report(f"Overload for {seconds:g} s", note, ("", ""), rows, goals)


def report_reliability(restarts: int, hostile: int) -> Report:
    """The scripts of reliability/, which fail if a request does."""
    words = {"serve_restarts.py": ("--requests", str(restarts)), "serve_fuzz.py": ("--requests", str(hostile))}
    titles = {
        "serve_restarts.py": f"failures among {restarts:,} requests across 5 swaps and 5 restarts",
        "serve_fuzz.py": f"failures among {hostile:,} hostile requests",
    }
    rows, goals = list[Sequence[Cell]](), list[Goal]()
    for script, title in titles.items():
        start, failed, said = time.perf_counter(), 0, "none"
        try:
            run([RELIABILITY / script, *words[script]])
        except FailedError as error:
            failed, said = 1, " ".join(error.words.split())[-300:] or str(error)
        rows.append((title, said, time.perf_counter() - start))
        goals.append(Goal(title, failed, "≤", 0, ""))
    note = "A figure of 0 or 1: whether reliability/serve_restarts.py and reliability/serve_fuzz.py found any."
    return Report("Restarts and hostile requests", note, ("", "what went wrong", "seconds"), rows, goals)
