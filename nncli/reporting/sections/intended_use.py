"""What it is good for, what it is not, and how to go on."""

from __future__ import annotations

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.evaluation.run_summary import RunSummary
from nncli.reporting.page import Heading, Listing, Paragraph, Points, Section, shown
from nncli.reporting.sections.overview import listed

FEW = 200


def intended_use(evidence: RunSummary) -> Section:
    """Intended use, limits, and the commands."""
    return Section(
        "use",
        "How to use it, and its limits",
        (
            Paragraph(intended(evidence)),
            Heading("Limits"),
            Points(limits(evidence)),
            Heading("Predict"),
            Paragraph(f"RUN is the run directory, {shown(evidence.path.resolve().name)}."),
            Listing("Commands", COMMANDS, long=False),
        ),
    )


COMMANDS = """\
nncli predict RUN new.csv -o answers.csv
nncli evaluate RUN labelled.csv
nncli explain RUN new.csv"""


def intended(evidence: RunSummary) -> str:
    """What it is meant for."""
    judged = evidence.judged
    if judged is None:
        return "It predicts rows that come about as those of its table did; of others nothing is known."
    of = listed(judged.predictions.target.names)
    return (
        f"It predicts {of} of rows that come about as those of its table did, from the columns "
        f"{listed(tuple(judged.model.names))}; the target is not needed. Of rows from elsewhere, or from later, "
        "nothing is known until they are scored with nncli evaluate."
    )


def limits(evidence: RunSummary) -> tuple[str, ...]:
    """What to bear in mind."""
    judged, manifest = evidence.judged, evidence.manifest
    found = []
    if manifest.status != "done":
        found.append(f"The training is not done: it is {manifest.status}.")
    if judged is not None:
        found += _of_rows(judged)
    return (
        *found,
        "What training never saw, a new category or a number beyond its range, is predicted all the same: nncli "
        "predict counts such cells in a note.",
        "A column that it leans on need not be a cause, and changing it in the world need not change the outcome.",
        "If the world changes, so do the errors: score it again on new rows now and then.",
    )


def _of_rows(judged: HeldOutPredictions) -> list[str]:
    found, n = [], len(judged)
    if judged.split == "training":
        found.append("No rows were held out, so that how good it is on new ones is not known.")
    elif judged.manifest.members == 1 and judged.manifest.validation_data is None:
        found.append("The rows that it is judged by chose the epoch that was kept: on new ones it is a little worse.")
    if judged.split == "validation" and n < FEW:
        found.append(f"It is judged on {n:,} rows: read the intervals, not the numbers.")
    if judged.config.data.group is None:
        found.append("Rows are taken to be independent: if some belong together, name what they share as data.group.")
    if judged.config.data.time is None:
        found.append(
            "Rows were held out without regard to time: where the future is predicted, name its column as data.time."
        )
    if judged.weights is not None:
        found.append("Rows count by their weights in the scores.")
    return found
