from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.services.cutting_proxy import cutting_proxy
from tests.services.servers import PASSWORD, USER, Server, run_sql

ROOT = Path(__file__).parents[2]
QUERY = "SELECT * FROM people ORDER BY id"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MYSQL"))}
FAST = ("--set", "epochs=4")
LOGIN = {"PGUSER": USER, "PGPASSWORD": PASSWORD, "MYSQL_USER": USER, "MYSQL_PWD": PASSWORD}


def nncli(
    folder: Path, *arguments: str, code: int = 0, login: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; check its exit code, and that it prints no password."""
    done = subprocess.run(
        [sys.executable, "-m", "nncli", *arguments],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT), **(login or {})},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done


def assert_no_password(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with a table of 200 people."""
    result: Server = request.getfixturevalue(request.param)
    rows = ", ".join(
        f"({i}, {20 + i * 7 % 50}, {i * 13 % 90 + 0.25}, '{'abc'[i % 3]}', '2024-01-{i % 28 + 1:02}',"
        f" '{'yes' if i * 7 % 50 + i * 13 % 90 > 70 else 'no'}')"
        for i in range(200)
    )
    run_sql(
        result.url,
        "CREATE TABLE people"
        " (id INT PRIMARY KEY, age INT, income NUMERIC(8, 2), city VARCHAR(9), seen DATE, y VARCHAR(3))",
        f"INSERT INTO people VALUES {rows}",
        "CREATE TABLE pets (name VARCHAR(9))",
    )
    yield result
    run_sql(result.url, "DROP TABLE people", "DROP TABLE pets")


def test_a_query_is_trained_on_predicted_and_evaluated_without_a_trace_of_the_password(
    server: Server, tmp_path: Path
) -> None:
    nncli(tmp_path, "train", server.url, "--query", QUERY, "--target", "y", "-o", "run", *FAST, "--set", "workers=2")
    assert_no_password(tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["data"]["path"] == server.public_url
    assert manifest["data"]["rows"] == 200
    assert len(manifest["data"]["sha256"]) == 64
    assert manifest["members"] > 1
    nncli(tmp_path, "predict", "run", server.url, "--table", "people", "--keep", "id", "-o", "answers.parquet")
    answers = pl.read_parquet(tmp_path / "answers.parquet")
    assert answers["id"].to_list() == list(range(200))
    nncli(tmp_path, "evaluate", "run", server.url, "--query", "SELECT * FROM people WHERE id < 50")
    nncli(tmp_path, "explain", "run", server.public_url, "--table", "people", login=LOGIN)
    nncli(tmp_path, "report", "run", login=LOGIN)
    nncli(tmp_path, "show", "run")
    assert_no_password(tmp_path)
    assert list(tmp_path.glob(".nncli-*")) == []


def test_a_drafted_configuration_is_checked_and_trained_with_the_login_of_the_environment(
    server: Server, tmp_path: Path
) -> None:
    nncli(tmp_path, "init", server.url, "--query", QUERY, "--target", "y", "-o", "c.yaml")
    text = (tmp_path / "c.yaml").read_text()
    assert server.public_url in text
    assert QUERY in text
    for kind in ("age     numeric", "income  numeric", "city    categorical", "seen    date"):
        assert kind in text
    nncli(tmp_path, "check", "c.yaml", login=LOGIN)
    nncli(tmp_path, "train", "c.yaml", *FAST, "-o", "run", login=LOGIN)
    wrong = nncli(tmp_path, "train", "c.yaml", code=4, login=dict.fromkeys(LOGIN, "wrong"))
    assert server.public_url in wrong.stderr
    assert_no_password(tmp_path)


def test_a_killed_training_resumes_from_the_same_rows_and_refuses_others(server: Server, tmp_path: Path) -> None:
    settings = ["--set", "members=1", "--set", "epochs=4000", "--set", "checkpoint={every: 1 epoch}"]
    words = ["train", server.public_url, "--query", QUERY, "--target", "y", "-o", "run", *settings]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), **LOGIN}
    command = [sys.executable, "-m", "nncli", *words]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as training:
        end = time.monotonic() + 120
        while not list(tmp_path.glob("run/checkpoints/*")):
            assert training.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        training.send_signal(signal.SIGKILL)
    run_sql(server.url, "UPDATE people SET age = age + 1 WHERE id = 77")
    refused = nncli(tmp_path, "train", "--resume", "run", code=4, login=LOGIN)
    assert "has changed" in refused.stderr
    run_sql(server.url, "UPDATE people SET age = age - 1 WHERE id = 77")
    with subprocess.Popen(
        [sys.executable, "-m", "nncli", "train", "--resume", "run"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as training:
        assert training.stderr is not None
        assert any("epoch" in line for line in training.stderr)
        training.send_signal(signal.SIGINT)
    assert_no_password(tmp_path / "run")


def test_a_connection_that_is_lost_while_predicting_writes_nothing(server: Server, tmp_path: Path) -> None:
    nncli(tmp_path, "train", server.url, "--query", QUERY, "--target", "y", "-o", "run", *FAST)
    many = "SELECT a.* FROM people a, people b, people c WHERE c.id < 10"
    connections = 2 if server.scheme == "postgresql" else 1
    with cutting_proxy(server.port, [6_000_000] * connections) as proxy:
        url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
        lost = nncli(tmp_path, "predict", "run", url, "--query", many, "-o", "answers.csv", code=4)
    assert "lost" in lost.stderr
    assert f":{proxy.server_port}" not in lost.stderr
    assert not (tmp_path / "answers.csv").exists()
    assert list(tmp_path.glob("*answers*")) == []


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--query", "DROP TABLE people"], 2, "begins with 'DROP'"),
        (["--query", "SELECT 1; DROP TABLE people"], 2, "several statements"),
        (["--query", "WITH x AS (DELETE FROM people RETURNING *) SELECT * FROM x"], 2, "DELETE"),
        (["--query", "SELECT nothing FROM people"], 4, "nothing"),
        (["--table", "peopel"], 4, "Did you mean 'people'?"),
        ([], 2, "'people' and 'pets'"),
    ],
)
def test_what_is_refused_is_named(server: Server, tmp_path: Path, options: list[str], code: int, words: str) -> None:
    refused = nncli(tmp_path, "train", server.url, *options, "--target", "y", "-o", "run", code=code)
    assert words in refused.stderr
    assert not (tmp_path / "run").exists()
