"""Make the example report of the documentation: python docs/make_report.py [--screenshot].

Trains on data/penguins-train.csv as the README does. With --screenshot the beginning of the report is also
written to docs/assets/report.png, by the system's Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from nncli.api.train import train

DOCS = Path(__file__).parent
REPORT = DOCS / "assets" / "report.html"
SCREENSHOT = DOCS / "assets" / "report.png"
WIDTH, HEIGHT = 1280, 720


def make_report() -> None:
    """Train on the penguins and write the report of the run."""
    from nncli.api.report import report

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy2(DOCS.parent / "data" / "penguins-train.csv", folder)
        path = Path(folder) / "penguins.yaml"
        path.write_text("data: {path: penguins-train.csv, target: species}\n", "utf-8")
        run = train(path, output=Path(folder) / "penguins").run
        REPORT.parent.mkdir(exist_ok=True)
        page = report(run).html.read_text("utf-8")
        REPORT.write_text(page.replace(f"{folder}/", "data/"), "utf-8")  # not the name of a temporary folder


def words_of(page: str) -> str:
    """The different words of the picture, without numbers."""
    text = page.partition('<header id="top">')[2].partition("</header>")[0]
    return " ".join(
        sorted({*re.findall(r"[A-Za-z]{2,}", re.sub(r"<style.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL))})
    )


def make_screenshot() -> None:
    """Photograph the beginning of the report; the picture keeps its words, which a test compares."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(REPORT.as_uri())
        page.screenshot(path=SCREENSHOT)
        browser.close()
    words = PngInfo()
    words.add_text("words", words_of(REPORT.read_text("utf-8")))
    with Image.open(SCREENSHOT) as picture:
        picture.save(SCREENSHOT, pnginfo=words, optimize=True)


def main() -> None:
    """Make the report, and its picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshot", action="store_true")
    make_report()
    if parser.parse_args().screenshot:
        make_screenshot()


if __name__ == "__main__":
    main()
