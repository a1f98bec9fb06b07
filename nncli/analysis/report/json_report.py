"""The report as JSON: its sections as text, and its scores and importances as numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nncli.analysis.evaluation.linear_model import LinearBenchmark
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Columns, Details, Figure, Gallery, Page, Part, Table
from nncli.analysis.report.sections.feature_importance import FeatureImportance
from nncli.base.text import json_safe
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.targets.metrics.bootstrap import ConfidenceInterval


def report_json(
    summary: RunSummary,
    scores: ScoresWithIntervals | None,
    importance: FeatureImportance | None,
    page: Page,
    linear: LinearBenchmark | None = None,
) -> dict[str, Any]:
    """The report as a JSON object; null stands for unknown and infinite numbers."""
    held_out = summary.held_out
    document = {
        "run": str(summary.path),
        "status": summary.manifest.status,
        "title": page.title,
        "summary": page.summary,
        "verdicts": [asdict(verdict) for verdict in page.verdicts],
        "notices": [asdict(notice) for notice in page.notices],
        "scored_on": None if held_out is None else held_out.split,
        "out_of_fold": held_out is not None and held_out.oof_mask is not None,
        "rows_scored": 0 if held_out is None else len(held_out),
        "scores": [] if scores is None else [_score(score) for score in scores.scores],
        "linear_model": None if linear is None else _linear(linear),
        "feature_importance": [] if importance is None else [asdict(item) for item in importance.importances],
        "sections": [
            {"name": section.name, "title": section.title, "parts": [_part(part) for part in section.parts]}
            for section in page.sections
        ],
    }
    return {key: json_safe(value) for key, value in document.items()}


def _score(score: ScoreWithInterval) -> dict[str, Any]:
    return {
        "metric": score.name,
        "target": score.target,
        "value": score.value,
        **_ends(score.interval),
        "baseline": score.baseline,
        "improvement": None if score.improvement is None else _ends(score.improvement),
    }


def _linear(linear: LinearBenchmark) -> dict[str, Any]:
    """The linear model's scores and the intervals of the run's improvement over it, or why there is none."""
    scores = [] if linear.scores is None else linear.scores.scores
    return {
        "name": linear.name,
        "reason": linear.reason or None,
        "scores": [
            {
                "metric": score.name,
                "target": score.target,
                "value": score.baseline,
                "improvement": None if score.improvement is None else _ends(score.improvement),
            }
            for score in scores
        ],
    }


def _ends(interval: ConfidenceInterval | None) -> dict[str, float | None]:
    return {"low": None, "high": None} if interval is None else {"low": interval.low, "high": interval.high}


def _part(part: Part) -> dict[str, Any]:
    """A part of a section; a chart is represented by its table."""
    if isinstance(part, Gallery):
        return {"kind": part.kind, "figures": [_part(figure) for figure in part.figures]}
    if isinstance(part, Figure):
        return {
            "kind": part.kind,
            "title": part.title,
            "description": part.description,
            "table": _part(part.table),
        }
    if isinstance(part, Table):
        return {
            "kind": part.kind,
            "caption": part.caption,
            "columns": list(part.columns),
            "rows": [[cell.text for cell in row] for row in part.cells],
            "note": part.note,
        }
    if isinstance(part, Columns | Details):
        title = {"title": part.title} if isinstance(part, Details) else {}
        return {"kind": part.kind, **title, "parts": [_part(inner) for inner in part.parts]}
    return {"kind": part.kind, **asdict(part)}
