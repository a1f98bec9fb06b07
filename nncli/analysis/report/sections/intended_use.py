"""Intended use, limitations, and next steps."""

from __future__ import annotations

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Heading, Listing, Paragraph, Points, Section, display
from nncli.analysis.report.sections.overview import quoted_names, scored_rows
from nncli.base.errors import DataError
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.table import Table
from nncli.models.ensemble import Ensemble

MIN_ROWS = 200
MAX_ROWS = 1000
"""Number of rows that tell whether a column holds dates."""
COMMANDS = """\
nncli predict RUN new.csv -o predictions.csv
nncli evaluate RUN labeled.csv
nncli explain RUN new.csv"""


def intended_use(summary: RunSummary) -> Section:
    """Intended use, limitations, and the commands to go on with."""
    return Section(
        "intended-use",
        "Intended use and limitations",
        (
            Paragraph(intended(summary)),
            Heading("Limitations"),
            Points(limitations(summary)),
            Heading("Next steps"),
            Paragraph(f"RUN is the run directory, {display(summary.path.resolve().name)}."),
            Listing("Commands", COMMANDS, long=False),
        ),
    )


def intended(summary: RunSummary) -> str:
    """The rows that the model is made for."""
    held_out = summary.held_out
    if held_out is None:
        return "The model is meant for rows from the same source as its training table."
    return (
        f"The model predicts {quoted_names(held_out.predictions.target.names)} for rows from the same source as its "
        f"training table, from the columns {quoted_names(tuple(held_out.model.names))}. The target column is not "
        "needed. For rows from another source or a later time, measure the error first with nncli evaluate."
    )


def limitations(summary: RunSummary) -> tuple[str, ...]:
    """Known limitations of the model and of its scores."""
    limits = []
    if summary.manifest.status != "done":
        limits.append(f"The training is not finished: its status is {summary.manifest.status}.")
    if summary.held_out is not None:
        limits += _of_scores(summary.held_out)
    return (
        *limits,
        "Unseen categories and numbers outside the training range are predicted too: nncli predict counts them in a "
        "note.",
        "Feature importance is not causality: changing a column in the real world need not change the outcome.",
        "If the data drifts, the errors grow: evaluate the model on recent rows regularly.",
    )


def _of_scores(held_out: HeldOutPredictions) -> list[str]:
    limits = []
    if held_out.split == "training":
        limits.append("There are no validation rows, so the error on new rows is not known.")
    elif held_out.optimistic:
        limits.append("The scores are optimistic: the validation rows chose the best epoch.")
    if held_out.split == "validation" and len(held_out) < MIN_ROWS:
        limits.append(f"The scores are of {scored_rows(held_out)} only: read their confidence intervals.")
    if held_out.config.data.group is None:
        limits.append("Rows are assumed to be independent: if some belong together, name their column as data.group.")
    if held_out.config.data.time is None and _has_dates(held_out):
        limits.append(
            "The split ignores time: to measure how well later rows are predicted, train with the time column as "
            "data.time, which stays a feature."
        )
    if held_out.weights is not None:
        limits.append("The scores use the sample weights.")
    return limits


def _has_dates(held_out: HeldOutPredictions) -> bool:
    """Whether a feature, or a column of the table that is none, holds dates."""
    model = held_out.model
    members = model.members if isinstance(model, Ensemble) else (model,)
    if any(member.spec.encoder.dates for member in members):
        return True
    known = {*model.names, *held_out.predictions.target.names}
    first = held_out.table.part(0, MAX_ROWS)
    return any(_holds_dates(first, name) for name in first.names if name not in known)


def _holds_dates(table: Table, name: str) -> bool:
    """Whether a column that the model does not read holds dates; it may be unreadable."""
    try:
        return infer_kind(table, name) is Kind.DATE
    except DataError:
        return False
