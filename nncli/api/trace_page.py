"""The page of a trace: one HTML file with a slider over the steps, which loads nothing."""

from __future__ import annotations

from string import Template
from typing import Any

import numpy as np

from nncli.analysis.trace_history import MAX_UNITS, PATH_STEPS
from nncli.base.text import json_safe
from nncli.base.web_style import base_style
from nncli.exporters.html.fields import html_text
from nncli.exporters.html.page import document, safe_script, source_hash, template
from nncli.exporters.javascript.module import as_literal
from nncli.version import __version__


def trace_page(trace: dict[str, Any], history: dict[str, Any]) -> str:
    """The HTML of a traced step and the training around it, both as JSON objects."""
    package = "nncli.api"
    shown = {**trace, "X": _cut(trace["X"]), "layers": _cut(trace["layers"]), "output": None, "predictions": None}
    data = json_safe({"trace": shown, "history": history, "maxUnits": MAX_UNITS, "pathSteps": PATH_STEPS})
    script = safe_script(f"const page = {as_literal(data)};\n{template('trace.js', package)}")
    style = base_style() + template("trace.css", package)
    policy = f"default-src 'none'; script-src '{source_hash(script)}'; style-src '{source_hash(style)}'; img-src data:"
    metadata = Template(template("metadata.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'", version=html_text(__version__)
    )
    title = f"{trace['source']}: a training step by step"
    about = (
        f"Inputs: {len(trace['features']):,}. Loss: {trace['loss']['type']}. Optimizer: {trace['optimizer']['type']}. "
        f"Steps: {history['steps']:,}. The slider moves over {len(history['snapshots']) - 1:,} of them."
    )
    notes = [*trace["notes"], *(["the training diverges"] if history["diverged"] else [])]
    body = Template(template("trace.html", package)).substitute(
        title=html_text(title),
        about=html_text(about),
        notes="".join(f'<p class="notice"><strong>Note:</strong> {html_text(note)}</p>\n' for note in notes),
        version=html_text(__version__),
    )
    return document(title, style, body, script=script, metadata=metadata)


MAX_NUMBERS, MAX_COLUMNS = 40, 6
"""Numbers and columns of a matrix that the page has; of a larger one it has the norm."""


def _cut(value: Any) -> Any:
    """A JSON value with the norms of large matrices in place of their numbers."""
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    if not isinstance(value, list) or not value:
        return value
    if isinstance(value[0], dict):
        return [_cut(item) for item in value]
    matrix = np.array(value, np.float64)
    is_large = matrix.size > MAX_NUMBERS and matrix.shape[-1] > MAX_COLUMNS
    return {"norm": float(np.linalg.norm(matrix))} if is_large or matrix.ndim > 2 else value
