"""A table with hostile names and cells, runs trained on it, and the outline of a page."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl

from nncli import train
from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.page import ColumnsBlock, Details, Part, Section, TableBlock
from nncli.analysis.report.run_page import view_sections
from nncli.api.report import ReportFiles, report

HOSTILE = (
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "العمر",
    "🐧 emoji",
    "two\nlines",
    "n" * 300,
    "$x_1$ {{ 7*7 }}",
    "'\"><img src=x onerror=alert(1)>",
)
"""Names of columns: HTML, turned text, right to left, emoji, a line end, very long, formulas and templates."""
LABELS = ("<b>yes</b>", "\u202eno", "ربما", "n" * 90, "|*_`&amp;")


def hostile_table(path: Path, n: int = 150) -> None:
    """Numbers and categories under the hostile names, and a target of the labels."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[object]] = {}
    for i, name in enumerate(HOSTILE):
        if i % 2:
            columns[name] = [None if k % 17 == 3 else LABELS[v] for k, v in enumerate(rng.integers(0, 5, n).tolist())]
        else:
            columns[name] = [None if k % 13 == 1 else v for k, v in enumerate(rng.normal(size=n).round(3).tolist())]
    first = np.nan_to_num(np.array(columns[HOSTILE[0]], np.float64))
    columns["<i>target</i>"] = [LABELS[int(v)] for v in np.digitize(first + rng.normal(0, 0.4, n), [-1, -0.3, 0.3, 1])]
    pl.DataFrame(columns).write_csv(path)


def hostile_run(folder: Path) -> Path:
    """A run trained on the hostile table."""
    hostile_table(folder / "t.csv")
    config = folder / "c.yaml"
    config.write_text('data: {path: t.csv, target: "<i>target</i>"}\nlayers: [4]\nepochs: 3\n')
    return train(config, output=folder / "run").run


SMALL = "layers: [4]\nepochs: 2\n"
VOID = {"meta", "link", "br", "path", "use", "rect"}


class Outline(HTMLParser):
    """The elements of a page, its ids, the references to ids, and its text; checks that all elements are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        attributes = {name: value or "" for name, value in attrs}
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("aria-labelledby", "aria-describedby"):
            self.references |= set(attributes.get(name, "").split())
        if attributes.get("href", "").startswith("#"):
            self.references.add(attributes["href"][1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def flat(parts: Iterable[Part]) -> list[Part]:
    """The parts, with those inside columns and folds in their place."""
    result: list[Part] = []
    for part in parts:
        result += flat(part.parts) if isinstance(part, ColumnsBlock | Details) else [part]
    return result


def full_rows(table: TableBlock) -> list[list[str]]:
    """The rows of a table, with all digits of shortened numbers."""
    return [[cell.full for cell in row] for row in table.cells]


def outline(run: Path) -> Outline:
    """The outline of the report of a run."""
    return parsed(report(run, force=True))


def parsed(files: ReportFiles) -> Outline:
    """The outline of a written report, whose ids are unique and whose references are valid."""
    result = Outline(files.html.read_text("utf-8"))
    assert result.open == []
    assert len(result.ids) == len(set(result.ids))
    assert result.references <= set(result.ids)
    return result


def trained_on(folder: Path, frame: pl.DataFrame, target: str, text: str = SMALL, data: str = "") -> Path:
    """A run trained on a frame."""
    frame.write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(f"data: {{path: t.csv, target: {target}{data}}}\n{text}")
    return train(folder / "c.yaml", output=folder / "run").run


def section_of(held_out: HeldOutPredictions, name: str) -> Section:
    """The only section of this name on the predictions of the scored rows."""
    (section,) = (section for section in view_sections(held_out) if section.name == name)
    return section
