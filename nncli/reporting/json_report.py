"""A report for programs: what the page says, section by section, and its figures as numbers."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from nncli.evaluation.run_summary import RunSummary
from nncli.evaluation.score_intervals import ScoresWithIntervals, ScoreWithInterval
from nncli.metrics.bootstrap import ConfidenceInterval
from nncli.reporting.page import Figure, Gallery, Page, Part, Table
from nncli.reporting.sections.feature_importance import FeatureImportance


def report_json(
    evidence: RunSummary, assessment: ScoresWithIntervals | None, influence: FeatureImportance | None, page: Page
) -> dict[str, Any]:
    """One JSON object; null is what is not known, or not a finite number."""
    judged, manifest = evidence.judged, evidence.manifest
    return {
        "run": str(evidence.path),
        "status": manifest.status,
        "title": page.title,
        "lead": page.lead,
        "notices": [asdict(one) for one in page.notices],
        "judged_on": None if judged is None else judged.split,
        "judged_rows": 0 if judged is None else len(judged),
        "scores": [] if assessment is None else [_score(one) for one in assessment.scores],
        "importance": [_finite(asdict(one)) for one in (influence.importances if influence else ())],
        "sections": [
            {"name": one.name, "title": one.title, "parts": [_part(part) for part in one.parts]}
            for one in page.sections
        ],
    }


def _score(one: ScoreWithInterval) -> dict[str, Any]:
    return {
        "metric": one.name,
        "target": one.target,
        **_finite({"value": one.value, **_ends(one.interval), "trivial": one.baseline}),
        "better_by": None if one.improvement is None else _finite(_ends(one.improvement)),
    }


def _ends(interval: ConfidenceInterval | None) -> dict[str, float | None]:
    return {"low": None, "high": None} if interval is None else {"low": interval.low, "high": interval.high}


def _part(part: Part) -> dict[str, Any]:
    """What it says, as the page does; of a chart, its numbers."""
    if isinstance(part, Gallery):
        return {"kind": part.kind, "figures": [_part(one) for one in part.figures]}
    if isinstance(part, Figure):
        return {
            "kind": part.kind,
            "title": part.title,
            "description": part.description,
            "table": _part(part.table),
        }
    if isinstance(part, Table):
        rows = [[cell.text for cell in row] for row in part.cells]
        return {
            "kind": part.kind,
            "caption": part.caption,
            "columns": list(part.columns),
            "rows": rows,
            "note": part.note,
        }
    return {"kind": part.kind, **asdict(part)}


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in values.items()}
