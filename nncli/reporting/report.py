"""`nncli report`: a run directory in, one HTML file and a model card out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nncli.errors import Place, UsageError
from nncli.files import refuse_existing, together, write_text
from nncli.reporting.document import Notice, Page, shown
from nncli.reporting.evidence import Evidence, gather
from nncli.reporting.sections.curves import curves
from nncli.reporting.sections.provenance import provenance
from nncli.reporting.sections.scores import recorded
from nncli.reporting.writing import MARK, html

NAME = "report.html"
CARD_MARK = b"<!-- A model card by nncli"


@dataclass(frozen=True)
class Written:
    """The two files."""

    html: Path
    card: Path


def report(run: str | Path, output: str | Path | None = None, *, force: bool = False) -> Written:
    """Write what there is to know of a run into `output`, by default report.html in the run directory, and a model
    card beside it. An earlier report at the default place is replaced; any other file only with `force`.

    Raises:
        RunError: there is no such run, or its manifest is damaged.
        UsageError: a file is in the way.
    """
    path = Path(run)
    written = places(path, None if output is None else Path(output), force=force)
    page = page_of(gather(path))
    with together():
        write_text(written.html, html(page))
    return written


def places(run: Path, output: Path | None, *, force: bool) -> Written:
    """Where the files go.

    Raises:
        UsageError: a file is in the way.
    """
    page = run / NAME if output is None else output
    card = page.with_suffix(".md")
    if card == page:
        raise UsageError(
            "the model card, a file of Markdown beside the report, would have the report's name",
            place=Place(source=str(page)),
            hint="Name the report with another ending, such as .html.",
        )
    for file, mark in ((page, MARK), (card, CARD_MARK)):
        own = output is None and file.is_file() and mark in file.open("rb").read(4096)
        refuse_existing(file, force=force or own)
    return Written(page, card)


def page_of(evidence: Evidence) -> Page:
    """The report of what is known."""
    manifest = evidence.manifest
    sections = [
        recorded(evidence.metrics) if evidence.metrics else None,
        curves(evidence.histories),
        provenance(evidence),
    ]
    notices = [Notice("warning", trouble) for trouble in evidence.troubles]
    return Page(
        title=f"Report of {shown(evidence.path.resolve().name)}",
        lead="",
        notices=tuple(notices),
        sections=tuple(section for section in sections if section is not None),
        footer=f"Made by nncli {manifest.nncli}.",
    )
