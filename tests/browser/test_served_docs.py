"""The page about a server in a real Chromium: widths, accessibility, hostile names, and its commands in a shell."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi import example_lines
from tests.browser.served import Server, opened
from tests.web_page import SCHEMES, WIDTHS, Scheme, check_accessibility


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_fits_every_width_and_axe_finds_no_violation(
    browser: Browser, server: Server, pictures: Path, scheme: Scheme
) -> None:
    with opened(browser, f"{server.url}docs", scheme=scheme) as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(50)
            page.screenshot(path=pictures / f"docs-{width}-{scheme}.png", full_page=width > 400)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        check_accessibility(page)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_are_answered_as_they_are_shown(
    browser: Browser, server: Server, served_runs: dict[str, Path], tmp_path: Path
) -> None:
    rows = {name: example_lines(ServedModel.load(name, run), ",") for name, run in served_runs.items()}
    with opened(browser, f"{server.url}docs") as page:
        commands = page.locator("pre").all_inner_texts()
    assert commands
    for command in commands:
        served = command.partition("/models/")[2].partition("/")[0]
        for name in ("rows.csv", "new.csv"):  # names of columns that cannot be shown are read from a file, too
            (tmp_path / name).write_text(rows[served], "utf-8", newline="")
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        )
        if "text/csv" in command:
            assert done.stdout.lstrip('"').startswith("prediction"), (command, done.stdout)
        else:
            wanted = "rows" if '{"rows":' in command else "prediction"
            assert any(key.startswith(wanted) for key in json.loads(done.stdout)), (command, done.stdout)
