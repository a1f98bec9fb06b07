"""`nncli report`: a run directory in, one HTML file and a model card out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nncli.commands.judged import Judged
from nncli.errors import Place, UsageError
from nncli.files import refuse_existing, together, write_text
from nncli.reporting.document import Page, Section, shown
from nncli.reporting.evidence import Evidence, gather
from nncli.reporting.sections.classes import classes
from nncli.reporting.sections.curves import curves
from nncli.reporting.sections.data import data
from nncli.reporting.sections.headline import lead, notices, summary
from nncli.reporting.sections.influence import influence, influence_of
from nncli.reporting.sections.numbers import numbers
from nncli.reporting.sections.provenance import provenance
from nncli.reporting.sections.scores import measured, recorded
from nncli.reporting.sections.segments import segments
from nncli.reporting.sections.worst import worst
from nncli.reporting.statistics import Assessment, assess
from nncli.reporting.writing import MARK, html
from nncli.runs.history import Metrics
from nncli.version import __version__

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
    judged, metrics = evidence.judged, evidence.metrics
    assessment = None if judged is None else assess(judged)
    sections = [
        summary(evidence),
        *([] if judged is None or assessment is None else of_rows(judged, assessment, metrics)),
        *([recorded(metrics)] if judged is None and metrics is not None else []),
        curves(evidence.histories),
        provenance(evidence),
    ]
    return Page(
        title=f"Report of {shown(evidence.path.resolve().name)}",
        lead=lead(evidence, assessment),
        notices=notices(evidence, assessment),
        sections=tuple(section for section in sections if section is not None),
        footer=f"Written by nncli {__version__}.",
    )


def of_rows(judged: Judged, assessment: Assessment, metrics: Metrics | None) -> list[Section | None]:
    """What the judged rows show."""
    found = influence_of(judged)
    return [
        measured(judged, assessment, metrics),
        classes(judged),
        numbers(judged),
        segments(judged, assessment),
        influence(judged, found),
        worst(judged, found),
        data(judged),
    ]
