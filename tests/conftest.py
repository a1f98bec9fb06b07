"""What tests of several rooms share: a table, and runs trained on it once for all."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from nncli import train
from tests.cli.support import DATA, Cli
from tests.tables import CLASSES, NUMBERS, TWO

# What is set where the tests are run is not what they are about.
SCREENSHOTS = os.environ.get("NNCLI_SCREENSHOTS")
for variable in [name for name in os.environ if name.startswith("NNCLI_") or name in ("COLUMNS", "LINES")]:
    del os.environ[variable]
# Without it every command that a test starts would compile all modules again, and every worker all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A warning of NumPy is a failure of the process that it is in, also of commands and workers that a test starts.
os.environ["PYTHONWARNINGS"] = "error::RuntimeWarning"
sys.dont_write_bytecode = False

# A shell may have told its background jobs to ignore Ctrl-C, and nohup to ignore SIGHUP, which commands inherit.
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if (number := getattr(signal, name, None)) is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)

PROGRAMS = (
    "benchmarks",
    "cli",
    "deploy",
    "end_to_end",
    "packaging",
    "reliability",
    "serving/clients",
    "sklearn",
)
"""Folders of tests that run whole programs; they are of `make test-system`, as are tests marked as slow."""
PEERS = (
    "exporters/runtimes/test_chromium.py",
    "integrations/test_mlflow.py",
    "integrations/test_tensorboard.py",
    "targets/metrics/test_conformal_mapie.py",
    "tracking",
)
"""Tests beside packages that only `make test-system` installs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--suite`, which chooses the tests of `make test` or of `make test-system`, and `--random-order`."""
    parser.addoption(
        "--suite",
        choices=("units", "system", "all"),
        default="all",
        help="tests of `make test`, of `make test-system`, or all",
    )
    parser.addoption("--random-order", type=int, help="a seed: files, and tests within each file, run in random order")


@cache
def is_of_programs(path: Path) -> bool:
    """Whether a file of tests, or a folder, runs whole programs or needs peers."""
    return any(path.is_relative_to(Path(__file__).parent / name) for name in (*PROGRAMS, *PEERS))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is not of the suite before it is imported."""
    return True if config.getoption("suite") == "units" and is_of_programs(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the suite, in a random order if that is asked for."""
    suite = config.getoption("suite")
    if suite != "all":
        of_suite = {item for item in items if is_system(item) == (suite == "system")}
        config.hook.pytest_deselected(items=[item for item in items if item not in of_suite])
        items[:] = [item for item in items if item in of_suite]
    if (seed := config.getoption("random_order")) is not None:
        order = random.Random(seed)
        rank = {path: order.random() for path in dict.fromkeys(item.path for item in items)}
        # Tests of a file stay together: their fixtures are made once.
        items.sort(key=lambda item: (rank[item.path], order.random()))


def is_system(item: pytest.Item) -> bool:
    """Whether a test is of `make test-system`."""
    return item.get_closest_marker("slow") is not None or is_of_programs(item.path)


# Collecting makes millions of objects that remain to the end: no garbage is looked for meanwhile, nor among them later.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, of what the tests themselves make."""
    gc.enable()
    gc.freeze()


# A deadline for an example, or for making it, would fail on a busy machine and say nothing of the code. The examples
# are always the same; `make test-thorough` tries more, and new ones.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ordinary", UNTIMED, max_examples=25, derandomize=True, database=None)
settings.register_profile("thorough", UNTIMED, max_examples=300)
settings.load_profile("ordinary")
# Thousands of mutants are run against the tests: few examples, always the same, and no search for the smallest.
settings.register_profile(
    "mutation", max_examples=8, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots of pages go: NNCLI_SCREENSHOTS, or a temporary folder."""
    if SCREENSHOTS is None:
        return tmp_path_factory.mktemp("pictures")
    Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
    return Path(SCREENSHOTS)


@pytest.fixture
def nncli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, within this process."""
    return Cli(monkeypatch)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _trained(tmp_path_factory: pytest.TempPathFactory, name: str, config: str) -> Path:
    folder = tmp_path_factory.mktemp(name)
    path = folder / f"{name}.yaml"
    path.write_text(config.replace("DATA", str(DATA)))
    return train(path, output=folder / "run").run


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells three species apart; not to be changed."""
    return _trained(tmp_path_factory, "penguins", CLASSES)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that predicts one number, y of x1 and x2; not to be changed."""
    return _trained(tmp_path_factory, "line", NUMBERS)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that predicts two numbers, x2 and y of x1; not to be changed."""
    return _trained(tmp_path_factory, "pair", TWO)
