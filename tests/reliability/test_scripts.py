"""The scripts of reliability/ keep their promises at small sizes, and see when nncli does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts look into /proc")


def ran(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "reliability" / script), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill.py", ["--kills", "4", "--workers", "1"]),
        (
            "faults.py",
            ["--stride", "9999", "--commands", "resume", "--actions", "short write", "--no-memory"],
        ),
        ("fuzz.py", ["--inputs", "200", "--command", "3"]),
        ("serve_restarts.py", ["--requests", "300", "--swaps", "1", "--restarts", "1", "--clients", "4"]),
        ("serve_fuzz.py", ["--requests", "250"]),
        ("tune_kills.py", ["--kills", "1", "--trials", "4", "--kills-of-sweep", "1"]),
        ("flaky.py", ["-n", "2", "--load", "1", "tests/base/test_rounding.py"]),
    ],
)
def test_a_small_version_keeps_the_promise(script: str, words: list[str]) -> None:
    done = ran(script, *words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["KeyError('x')"])
def test_the_fuzzer_sees_and_keeps_what_is_not_clean(tmp_path: Path, fault: str) -> None:
    """A loading that raises something of its own, on every tenth configuration."""
    (tmp_path / "broken.py").write_text(
        "import sys, zlib; from pathlib import Path\n"
        f"sys.path[:0] = [{str(ROOT / 'reliability')!r}]\n"
        "import fuzz, nncli.config.loading as loading\n"
        "good = loading.load_config\n"
        "def bad(path, *rest):\n"
        f"    if zlib.crc32(Path(path).read_bytes()) % 10 == 0: raise {fault}\n"
        "    return good(path, *rest)\n"
        "loading.load_config = bad\n"
        "sys.argv = ['fuzz', '--inputs', '200', '--command', '0', '--keep', sys.argv[1]]\n"
        "sys.exit(fuzz.main())\n"
    )
    command = [sys.executable, str(tmp_path / "broken.py"), str(tmp_path / "kept")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "wrong: traceback" in done.stdout
    assert any((tmp_path / "kept").glob("*/input.yaml"))


def test_a_test_that_does_not_pass_each_time_is_listed_with_its_orders(tmp_path: Path) -> None:
    """Of two reports as pytest writes them, one with a failure."""
    (tmp_path / "listed.py").write_text(
        "import subprocess, sys; from pathlib import Path\n"
        f"sys.path[:0] = [{str(ROOT / 'reliability')!r}]\n"
        "import flaky\n"
        "def pytest(command, **_):\n"
        "    seed = command[command.index('--random-order') + 1]\n"
        "    report = next(word for word in command if word.startswith('--junitxml=')).partition('=')[2]\n"
        "    failure = '<failure message=\"assert 1 == 2\"/>' if seed == '4' else ''\n"
        '    case = \'<testcase classname="a" name="%s">%s</testcase>\'\n'
        '    Path(report).write_text(f\'<suite>{case % ("same", "")}{case % ("other", failure)}</suite>\')\n'
        "    return subprocess.CompletedProcess(command, int(bool(failure)), '', '')\n"
        "flaky.subprocess.run = pytest\n"
        "sys.exit(flaky.main(['-n', '3', '--seed', '3', '--load', '0']))\n"
    )
    done = subprocess.run([sys.executable, str(tmp_path / "listed.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "a::other: not passed in 1 of 3\n  order 4: failure: assert 1 == 2\n" in done.stdout
    assert "a::same" not in done.stdout
