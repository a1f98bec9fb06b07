"""The Dockerfile: small, without root, with commands as lists; the server can be the first process of a container."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.support import ROOT
from tests.deploy.support import DEPLOY, check_options, child_of, program, run, started, unshare

DOCKERFILE = DEPLOY / "Dockerfile"
LINES = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text("utf-8")).splitlines()
INSTRUCTIONS = [tuple(line.split(maxsplit=1)) for line in LINES if line and not line.startswith("#")]


def arguments(instruction: str) -> list[str]:
    """The arguments of all instructions of a kind."""
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_it_ends_with_a_user_that_is_not_root() -> None:
    last_stage = max(k for k, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
    (user,) = (rest for name, rest in INSTRUCTIONS[last_stage:] if name == "USER")
    assert all(int(number) > 0 for number in user.split(":"))
    assert not any(name == "RUN" for name, _ in INSTRUCTIONS[last_stage:])  # nothing is installed there


def test_images_have_a_version_that_the_package_supports() -> None:
    versions = [re.match(r"python:(3\.\d+)-slim", image) for image in arguments("FROM")]
    assert all(versions)
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert all(f"Python :: {version[1]}" in text for version in versions if version)


def test_commands_are_lists_so_that_signals_reach_the_server() -> None:
    (entry,), (command,), (check,) = arguments("ENTRYPOINT"), arguments("CMD"), arguments("HEALTHCHECK")
    words = json.loads(entry) + json.loads(command)
    assert words[:2] == ["nncli", "serve"]
    check_options(words)
    assert json.loads(check.partition("CMD ")[2])[0] == "python"


def test_what_is_copied_is_enough_for_the_wheel(tmp_path: Path) -> None:
    sources = [rest.split()[:-1] for rest in arguments("COPY") if not rest.startswith("--from")]
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in (name for names in sources for name in names):
        assert f"!{name}" in kept
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tmp_path)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", tmp_path])
    assert len(list((tmp_path / "dist").glob("*.whl"))) == 1


def test_hadolint_finds_nothing() -> None:
    run([program("hadolint"), DOCKERFILE])


def test_the_health_check_is_that_of_the_server(penguins: Path) -> None:
    (check,) = arguments("HEALTHCHECK")
    _, option, code = json.loads(check.partition("CMD ")[2])
    with started([sys.executable, "-m", "nncli", "serve", penguins, "--port", "0"]) as (_, url):
        adapted = code.replace("http://127.0.0.1:8000", url)
        assert adapted != code
        run([sys.executable, option, adapted])
    done = subprocess.run([sys.executable, option, adapted], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has namespaces of processes")
def test_the_first_process_of_a_container_stops_at_sigterm(penguins: Path) -> None:
    command = [*unshare("--pid", "--fork", "--kill-child", "--mount-proc"), sys.executable, "-m", "nncli", "serve"]
    with started([*command, penguins, "--port", "0"]) as (process, _):
        os.kill(child_of(process), signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "every request is answered" in log


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has namespaces of processes")
def test_the_first_process_of_a_container_stops_while_it_starts(penguins: Path) -> None:
    command = [
        *unshare("--pid", "--fork", "--kill-child", "--mount-proc"),
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "nncli",
        "serve",
    ]
    process = subprocess.Popen([*command, str(penguins), "--port", "0"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.endswith(" polars\n"):  # the handler is there, the model is not
            break
    os.kill(child_of(process), signal.SIGTERM)
    start = time.monotonic()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - start < 10.0
