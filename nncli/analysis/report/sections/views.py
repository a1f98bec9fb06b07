"""The sections of a report that show what the predictions of the scored rows are like: one or several for each view."""

from __future__ import annotations

from functools import singledispatch

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.page import Section
from nncli.analysis.report.sections.classification import classification, decision, thresholds
from nncli.analysis.report.sections.predictions import residuals, survival
from nncli.targets.views import ClassProbabilities, PositiveClass, Residuals, SurvivalCurves, View


def view_sections(held_out: HeldOutPredictions) -> tuple[Section, ...]:
    """The sections of all views of the scored rows."""
    views = held_out.head.views.of_rows(held_out.predictions, held_out.y, held_out.weights, held_out.baseline)
    return tuple(section for view in views for section in _sections(view, held_out) if section is not None)


@singledispatch
def _sections(view: View, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    """The sections of a view; none of one that reports do not know."""
    return ()


@_sections.register
def _(view: ClassProbabilities, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (*classification(view, held_out), decision(held_out))


@_sections.register
def _(view: PositiveClass, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (thresholds(view, held_out),)


@_sections.register
def _(view: Residuals, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (residuals(view),)


@_sections.register
def _(view: SurvivalCurves, held_out: HeldOutPredictions) -> tuple[Section | None, ...]:
    return (survival(view),)
