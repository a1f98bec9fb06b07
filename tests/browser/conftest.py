"""The system's Chromium, driven by Playwright, reports to look at, and a server of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from nncli import compare, train
from nncli.analysis.report.page import write_page
from nncli.analysis.report.pages import comparison_page
from nncli.api.report import report
from tests.analysis.report.support import hostile_run
from tests.browser.served import Server, serving
from tests.cli.support import DATA
from tests.serving.trained import train_run
from tests.tuning.made_searches import made_search, made_trials

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # it may be started by root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CONFIGS = {
    "classes": "data: {path: DATA/penguins.csv, target: species}\nlayers: [8]\nepochs: 3\n",
    "members": "data: {path: DATA/penguins.csv, target: species}\nlayers: [4]\nepochs: 3\nmembers: 3\nworkers: 1\n",
    "numbers": "data: {path: DATA/linear.csv, target: [x2, y]}\nlayers: [4]\nepochs: 3\n",
}
SERVED = ("number", "many", "numbers", "quantiles", "hostile")
REPORTS = (*CONFIGS, "hostile", "gone", "search", "comparison")


def pytest_sessionstart() -> None:
    """Say what is missing, if it is, instead of an error for each test."""
    if not any(map(shutil.which, NAMES)):
        pytest.exit("no Chromium is installed: as root, apt-get install chromium (Debian, Ubuntu)", returncode=3)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each kind: classes, members, numbers, hostile names, a table that is gone, a search, a comparison."""
    written = {}
    for name, config in CONFIGS.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "c.yaml").write_text(config.replace("DATA", str(DATA)))
        written[name] = report(train(folder / "c.yaml", output=folder / "run").run).html
    for name in ("hostile", "gone"):
        folder = tmp_path_factory.mktemp(name)
        run = hostile_run(folder)
        if name == "gone":
            (folder / "t.csv").unlink()
        written[name] = report(run).html
    written["search"] = report(made_search(tmp_path_factory.mktemp("search"), made_trials())).html
    written["comparison"] = written["classes"].with_name("comparison.html")
    write_page(
        comparison_page(compare([written[name].parent for name in (*CONFIGS, "hostile")])), written["comparison"]
    )
    return written


@pytest.fixture(scope="session")
def served_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs to be served: a number, classes, two numbers, quantiles, hostile names."""
    folders = {name: tmp_path_factory.mktemp(name) for name in SERVED}
    return {name: hostile_run(path) if name == "hostile" else train_run(path, name) for name, path in folders.items()}


@pytest.fixture(scope="session")
def server(served_runs: dict[str, Path]) -> Iterator[Server]:
    """A server of these runs."""
    with serving(served_runs) as started:
        yield started
