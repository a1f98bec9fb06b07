"""`nncli trace` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.api.options import TraceOptions
from nncli.cli.completion import complete_config
from nncli.cli.console import interrupt_at_once, rows
from nncli.cli.shared_arguments import ResultOptions, announce_config
from nncli.cli.tables import on_one_line, prose, table

if TYPE_CHECKING:
    from nncli.api.trace import Trace
    from nncli.nn.training.trace import TracedLayer, TracedUpdate, TracedValue

MAX_ROWS, MAX_COLUMNS = 8, 6
"""Rows and columns of a matrix that are printed."""
FORMULA_WIDTH = 22


def trace(
    *,
    config: Annotated[
        str,
        typer.Argument(
            help="A YAML file, a table with --target, or a run directory.",
            metavar="CONFIG",
            autocompletion=complete_config,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(help="A table whose rows the step is on. Default: the training table.", metavar="TABLE"),
    ] = None,
    given: TraceOptions,
    display: ResultOptions,
) -> None:
    """The forward pass, the loss with the part of each row, the backward pass, and the update of the weights, with the
    formulas of docs/mathematics.md. dA is short for ∂L/∂A. Beside each gradient stands its finite difference, computed
    in float64. The step is that of `nncli train`, to the bit. No run is written. Of a run it is the step after its
    last checkpoint, or any step before. Of an ensemble the first network is shown. Of a matrix of more than 40 weights
    the norm is printed, unless with --all.

    \b
    nncli trace configs/linear.yaml --rows 1,5
    nncli trace configs/xor.yaml --step 100 --set batch_size=4
    nncli trace configs/linear-regression.yaml --html linear.html
    nncli trace configs/linear.yaml --json | jq '.layers[].backward[] | {symbol, values, differences}'
    """
    from nncli.api.trace import trace_with

    interrupt_at_once()
    announce_config(config, display)
    result = trace_with(config, data, options=replace(given, on_draft=display.note_draft))
    display.note(*result.notes)
    display.show(lambda: result.as_json, lambda: "\n\n".join(_blocks(result, everything=given.all)))
    if given.html is not None:
        display.next(f"open {given.html} in a browser")
    else:
        words = given.arguments(config)
        display.next(f"nncli report {shlex.quote(config)}" if result.is_of_run else f"nncli train {shlex.join(words)}")


def _blocks(trace: Trace, *, everything: bool) -> Iterator[str]:
    """The parts of the text."""
    step = trace.step
    yield prose(
        f"step {step.step:,}: batch {trace.batch:,} of {trace.batches:,} of epoch {trace.epoch:,}, "
        f"{rows(len(trace.rows))}"
    )
    yield _batch(trace, everything=everything)
    for layer in step.layers:
        lines = [*_values(layer.parameters, everything=everything), *_values(layer.forward, everything=everything)]
        yield "\n".join([f"forward, {_title(layer)}", *lines])
    if step.offset is not None:
        lines = [*_beside("o", _matrix(step.offset[:, None], everything=everything))]
        lines += _beside("Z + o", _matrix(step.output, everything=everything))
        name = on_one_line(trace.exposure or "")
        yield "\n".join([f"forward, offset: o = log({name} / its mean), added to the first output", *lines])
    yield _loss(trace, everything=everything)
    for layer in reversed(step.layers):
        yield "\n".join([f"backward, {_title(layer)}", *_values(layer.backward, everything=everything)])
    yield "\n".join(_update(trace, everything=everything))


def _title(layer: TracedLayer) -> str:
    return f"{layer.name}: {layer.type}"


def _batch(trace: Trace, *, everything: bool) -> str:
    """The rows of the batch as the network gets them."""
    batch, labels = trace.step.batch, trace.labels
    shown = len(batch) if everything else MAX_ROWS
    columns = len(trace.features) if everything else MAX_COLUMNS
    titles = [f"{name} (offset)" if name == trace.exposure else name for name in trace.features[:columns]]
    head = ["row", *map(on_one_line, titles), *(["…"] if columns < len(trace.features) else [])]
    names, width = list(map(on_one_line, trace.targets)), 1 if batch.y.ndim == 1 else batch.y.shape[1]
    if len(names) != width:  # what a loss makes of the target
        names = [*(f"y{j + 1}" for j in range(min(width, columns))), *(["…"] if columns < width else [])]
    lines = [[*head, *names, *([] if batch.weights is None else ["weight"])]]
    for i, row in enumerate(trace.rows[:shown]):
        numbers = [_number(value) for value in batch.X[i, :columns].tolist()]
        cells = [f"{row:,}", *numbers, *(["…"] if columns < len(trace.features) else [])]
        y = batch.y[i].tolist()
        target = [*map(_number, y)] if isinstance(y, list) else [f"{y:,}"]
        target = [*target[: len(names) - 1], "…"] if len(target) > len(names) else target
        if labels and not trace.is_taught:
            target = [on_one_line(labels[y])]
        lines.append([*cells, *target, *([] if batch.weights is None else [_number(float(batch.weights[i]))])])
    more = f"\n{_more(len(batch) - shown)}" if shown < len(batch) else ""
    return f"the batch X, y\n{table(lines)}{more}"


def _more(count: int) -> str:
    return f"… and {count:,} more {'row' if count == 1 else 'rows'}"


def _values(values: Sequence[TracedValue], *, everything: bool) -> Iterator[str]:
    """Each value with its formula before it, and the differences of a gradient behind it."""
    for value in values:
        yield from _beside(value.formula or value.symbol, _numbers(value, everything=everything))


def _beside(formula: str, lines: Sequence[str]) -> Iterator[str]:
    """A formula, and the lines of a matrix to its right; below it if the formula is long."""
    text = f"  {formula}"
    if len(text) > FORMULA_WIDTH:
        yield text
        text = ""
    for line in lines:
        yield f"{text:<{FORMULA_WIDTH}}  {line}".rstrip()
        text = ""


def _numbers(value: TracedValue, *, everything: bool) -> list[str]:
    """The numbers of a value, or its norm if there are many, and those of the differences."""
    matrix, differences = value.values, value.differences
    kinks = f"   {value.kinks:,} at a kink, where there is no derivative" if value.kinks else ""
    if value.norm_difference is not None:
        norm = f"norm {_number(value.norm)}   ≈ {_number(value.norm_difference)}, {_shape(matrix)}"
        return [norm, *(_matrix(matrix, everything=True) if everything else [])]
    is_narrow = value.formula and matrix.shape[-1] <= MAX_COLUMNS  # of values of rows, some are printed
    if value.is_large and not is_narrow and not everything:
        return [f"norm {_number(value.norm)}, {_shape(matrix)}"]
    lines = _matrix(matrix, everything=everything)
    if differences is not None:
        numeric = _matrix(differences, everything=everything)
        width = max(len(line) for line in lines if not line.startswith("…"))
        lines = [
            f"{left:<{width}}   ≈ {right}" if right[0] != "…" else left
            for left, right in zip(lines, numeric, strict=True)
        ]
    return [lines[0] + kinks, *lines[1:]]


def _matrix(values: Any, *, everything: bool) -> list[str]:
    """The rows of a matrix, at most eight; of a vector the one row."""
    matrix = values.reshape(1, -1) if values.ndim == 1 else values
    shown = len(matrix) if everything else MAX_ROWS
    columns = matrix.shape[1] if everything else MAX_COLUMNS
    cells = [[_number(value) for value in row[:columns]] for row in matrix[:shown].tolist()]
    width = max((len(cell) for row in cells for cell in row), default=0)
    dots = "  …" if columns < matrix.shape[1] else ""
    lines = ["  ".join(f"{cell:>{width}}" for cell in row) + dots for row in cells]
    return [*lines, *([_more(len(matrix) - shown)] if shown < len(matrix) else [])] or ["empty"]


def _shape(matrix: Any) -> str:
    return " x ".join(f"{size:,}" for size in matrix.shape) + " numbers"


def _number(value: float) -> str:
    """Five significant digits, with a minus sign that is as wide as a digit."""
    return f"{value:.5g}"


def _loss(trace: Trace, *, everything: bool) -> str:
    """The loss, what each row adds to it, and the predictions of classes."""
    step, labels = trace.step, trace.labels
    head = ["row", "part of the loss", *(f"p({on_one_line(label)})" for label in labels[:MAX_COLUMNS])]
    lines = [head]
    shown = len(trace.rows) if everything else MAX_ROWS
    for i, row in enumerate(trace.rows[:shown]):
        chances = [_number(value) for value in trace.predictions[i, :MAX_COLUMNS].tolist()] if labels else []
        lines.append([f"{row:,}", _number(float(step.row_losses[i])), *chances])
    more = [_more(len(trace.rows) - shown)] if shown < len(trace.rows) else []
    penalty = f", and a penalty of {_number(step.penalty)} (l1, l2)" if step.penalty else ""
    title = [f"loss: {trace.loss}", *_beside(trace.loss_formula, [f"{_number(step.loss)}{penalty}"])]
    return "\n".join([*title, table(lines), *more])


def _update(trace: Trace, *, everything: bool) -> Iterator[str]:
    """The update of each parameter by the optimizer."""
    step = trace.step
    yield f"update: {trace.optimizer}, learning rate {_number(step.learning_rate)}"
    yield prose(f"  {trace.optimizer_formula}")
    if step.penalty:
        yield "  g = dL/dθ + λ₂ w + λ₁ sign w of the weights, with the penalties l2 and l1"
    if step.clip_norm is not None:
        is_long = step.gradient_norm > step.clip_norm
        yield f"  the norm of the gradient is {_number(step.gradient_norm)}, " + (
            f"so g is scaled to {_number(step.clip_norm)} (clip_norm)" if is_long else "not above clip_norm"
        )
    for layer in step.layers:
        for update in layer.updates:
            yield f"  {update.name}"
            yield from _changes(update, everything=everything)


def _changes(update: TracedUpdate, *, everything: bool) -> Iterator[str]:
    """A parameter before and after its update, with the vectors of the optimizer that it uses."""
    from nncli.nn.training.trace import TracedValue

    parts = [(f"{update.symbol} before", update.before), ("g", update.gradient)]
    for name, (before, after) in update.state.items():
        if after.any():
            parts += [(f"{name} before", before), (f"{name} after", after)]
    for name, values in [*parts, (f"{update.symbol} after", update.after)]:
        yield from _beside(f"  {name}", _numbers(TracedValue(name, "", values), everything=everything))
