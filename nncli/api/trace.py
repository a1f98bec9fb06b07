"""`nncli trace`: one step of a training with all its numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from nncli.api.options import TraceOptions
from nncli.api.training_input import copied_table, resolve_input
from nncli.base.atomic_files import check_overwrite, write_text
from nncli.base.credentials import redacted
from nncli.base.errors import Advice, UsageError, sentences
from nncli.base.option import operation
from nncli.base.scratch import Scratch
from nncli.base.text import json_safe
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config
from nncli.data.sources.table_source import TableLocation, as_source
from nncli.fitting.ensemble.out_of_fold import member_config
from nncli.fitting.prepare.auto_values import resolve_members
from nncli.fitting.prepare.encode import PreparedRows, encode
from nncli.fitting.prepare.execution import choose_execution
from nncli.fitting.prepare.load import drop_missing_targets, load_table, select_rows, table_copies
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.train.provenance import check_tables_unchanged, recorded_execution
from nncli.nn.arrays import Floats
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import LoopSignal, prepare_order
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState
from nncli.nn.training.trace import MAX_NUMBERS, TracedLayer, TracedStep, TracedValue, trace_step
from nncli.run_directory.checkpoints import load_checkpoint
from nncli.run_directory.config import read_config
from nncli.run_directory.listing import is_run
from nncli.run_directory.manifest import CONFIG
from nncli.run_directory.run import Run
from nncli.version import __version__


@dataclass(frozen=True, eq=False)
class Trace:
    """One step of a training with all its numbers.

    The `step` is number `batch` of the `batches` of its `epoch`, on the `rows`, by their numbers in the table from 1.
    The columns of X are the encoded `features`; the `exposure` among them is no input of a layer but an offset.
    `predictions` are those before the step: numbers in the units of the network, or probabilities (rows, classes) of
    the `labels`. If the network `is_taught` by another one, y is the position of the row in the teacher's predictions.
    """

    source: str
    step: TracedStep
    epoch: int
    batch: int
    batches: int
    rows: tuple[int, ...]
    features: tuple[str, ...]
    targets: tuple[str, ...]
    labels: tuple[str, ...]
    loss: str
    loss_formula: str
    optimizer: str
    optimizer_formula: str
    predictions: Floats
    is_of_run: bool
    is_taught: bool
    exposure: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def as_json(self) -> dict[str, Any]:
        """The trace as a JSON object."""
        step = self.step
        document = {
            "source": self.source,
            "step": step.step,
            "epoch": self.epoch,
            "batch": self.batch,
            "batches": self.batches,
            "rows": list(self.rows),
            "features": list(self.features),
            "targets": list(self.targets),
            "labels": list(self.labels),
            "X": step.batch.X.tolist(),
            "y": step.batch.y.tolist(),
            "weights": None if step.batch.weights is None else step.batch.weights.tolist(),
            "layers": [_layer_json(layer) for layer in step.layers],
            "offset": None if step.offset is None else step.offset.tolist(),
            "output": step.output.tolist(),
            "predictions": self.predictions.tolist(),
            "loss": {
                "type": self.loss,
                "formula": self.loss_formula,
                "value": step.loss,
                "rows": step.row_losses.tolist(),
                "penalty": step.penalty,
            },
            "optimizer": {
                "type": self.optimizer,
                "formula": self.optimizer_formula,
                "learning_rate": step.learning_rate,
                "gradient_norm": step.gradient_norm,
                "clip_norm": step.clip_norm,
            },
            "notes": list(self.notes),
        }
        return dict(json_safe(document))


def _layer_json(layer: TracedLayer) -> dict[str, Any]:
    def value(traced: TracedValue) -> dict[str, Any]:
        return {"symbol": traced.symbol, "values": traced.values.tolist(), "norm": traced.norm}

    def gradient(traced: TracedValue) -> dict[str, Any]:
        differences = None if traced.differences is None else traced.differences.tolist()
        checked = {"differences": differences, "norm_difference": traced.norm_difference, "kinks": traced.kinks}
        return {**value(traced), "formula": traced.formula, **checked}

    return {
        "name": layer.name,
        "type": layer.type,
        "parameters": [value(parameter) for parameter in layer.parameters],
        "forward": [{**value(traced), "formula": traced.formula} for traced in layer.forward],
        "backward": [gradient(traced) for traced in layer.backward],
        "updates": [
            {
                "name": update.name,
                "symbol": update.symbol,
                "before": update.before.tolist(),
                "gradient": update.gradient.tolist(),
                "state": {
                    name: {"before": before.tolist(), "after": after.tolist()}
                    for name, (before, after) in update.state.items()
                },
                "after": update.after.tolist(),
            }
            for update in layer.updates
        ],
    }


def trace_with(config: Config | str | Path, data: TableLocation | None = None, *, options: TraceOptions) -> Trace:
    """Take one step of a training, with the weights, the batch and the optimizer's state that it has there.

    `config` is a `Config`, a path, or a table with `target`; or a run, whose training is repeated from its
    configuration, or from its last checkpoint for a later step. Of an ensemble the first member is traced. With `data`,
    a table, the step is on its rows instead of the training's batch.

    Raises:
        ConfigError, DataError: the training cannot start, or a table of the run has changed.
        UsageError: the training has no such step, or no such rows.
        RunError: the run is damaged or private.
        NncliError: the training has diverged before the end of the step.
    """
    file = None if options.html is None else Path(options.html)
    if file is not None:
        check_overwrite(file, force=options.force)
        if file.suffix.lower() not in (".html", ".htm"):
            raise UsageError("the page is an HTML file", hint="Use a file name that ends in .html.")
    with _prepared(config, options) as (source, prepared, state, notes):
        _advance(prepared, state, options.step)
        result = _trace(source, prepared, state, data, options, notes)
        if file is not None:
            from nncli.analysis.trace_history import training_history

            history = training_history(
                prepared.arguments, lambda: _new_state(prepared), prepared.fitted, prepared.validation_set
            )
            write_text(file, trace_page(result.as_json, history))
        return result


trace = operation(TraceOptions)(trace_with)


@contextmanager
def _prepared(
    config: Config | str | Path, options: TraceOptions
) -> Iterator[tuple[str, PreparedTraining, TrainState, list[str]]]:
    """What is traced, its training, its first state or that of the last checkpoint before the step, and notes."""
    notes: list[str] = []
    if isinstance(config, str | Path) and is_run(Path(config)):
        if len(options.arguments(str(config))) > 1:
            hint = f"To trace other settings, name its {CONFIG} instead."
            raise UsageError("a run is traced with its own configuration", hint=hint)
        run = Run.open(Path(config))
        if (members := (manifest := run.load_manifest()).members) > 1:
            notes.append(f"the first of {members:,} networks of the ensemble is traced")
            run = Run.open(run.path / manifest.member_folders[0])
            manifest = run.load_manifest()
        manifest.check_not_private(run.path, "its training table")
        manifest.check_learns_alone(Path(config), "its steps are those of all")
        settings, execution = read_config(run.path), recorded_execution(manifest)
        execution.check_available(str(run.path))
        with table_copies(settings), Scratch() as scratch:
            check_tables_unchanged(settings, manifest)
            prepared = prepare(settings, scratch)
            with execution.activate(prepared) as ready:
                state = _new_state(ready)
                load_checkpoint(run.path, state, owner=manifest.checkpoint_owner)
                if options.step is not None and state.step >= options.step:
                    state = _new_state(ready)
                yield str(config), ready, state, notes
        return
    with copied_table(config, options):
        loaded = resolve_input(config, options).load()
        settings = loaded.config if isinstance(loaded, LoadedConfig) else loaded
        with table_copies(settings), Scratch() as scratch:
            store = load_table(settings, settings.data, scratch)
            if settings.is_ensemble:
                settings = resolve_members(settings, len(select_rows(settings, store)))
                notes.append(f"the first of {settings.n_members:,} networks of the ensemble is traced")
                settings = member_config(settings, 0, Path(), 1)
            prepared = prepare(settings, scratch, table=store)
            execution, _ = choose_execution(prepared)
            with execution.activate(prepared) as ready:
                source = redacted(str(config)) if isinstance(config, str | Path) else "Config"
                yield source, ready, _new_state(ready), notes


def _new_state(prepared: PreparedTraining) -> TrainState:
    """The state before the first step, as that of the training."""
    arguments, streams = prepared.arguments, RandomStreams.of(prepared.config.seed)
    return TrainState.create(
        arguments.network, arguments.optimizer, streams, arguments.n_shards, prepared.fitted, arguments.loss
    )


def _advance(prepared: PreparedTraining, state: TrainState, step: int | None) -> None:
    """Train up to the step before `step`, as the training does.

    Raises:
        UsageError: the training ends before it.
    """
    last = state.step if step is None else step - 1
    if state.step >= last:
        return
    training = fit(
        prepared.arguments,
        state,
        prepared.fitted,
        prepared.validation_set,
        after_batch=lambda done: LoopSignal.STOP if done >= last else LoopSignal.CONTINUE,
        max_batches=lambda done: max(1, last - done),
    )
    with closing(training):
        deque(training, maxlen=0)
    arguments = prepared.arguments
    if state.step < last or state.epoch >= arguments.epochs or state.early_stopping.should_stop(arguments.patience):
        raise UsageError(
            f"the training ends with step {state.step:,}",
            hint=Advice("Use at most ", TraceOptions.use("step", state.step), "."),
        )


def _trace(
    source: str,
    prepared: PreparedTraining,
    state: TrainState,
    data: TableLocation | None,
    options: TraceOptions,
    notes: list[str],
) -> Trace:
    """Take the next step, on the batch of the training or on given rows."""
    arguments, spec, epoch = prepared.arguments, prepared.spec, state.epoch + 1
    if state.epoch >= arguments.epochs:
        notes.append("the training has finished: this is the first step of one more epoch")
        arguments = replace(arguments, epochs=epoch)
    if arguments.backend != "numpy" or arguments.n_shards > 1:
        how = "compiled loops" if arguments.backend != "numpy" else f"{arguments.n_shards} shards of a batch"
        notes.append(f"the training uses {how}: the last digits of its weights may differ, and so do dropout masks")
    with closing(Batches(prepared.fitted, arguments.batch_size, state.streams.shuffle)) as batches:
        length = TrainingLength(arguments.epochs, batches.steps)
        number = state.position + 1
        if data is None and options.rows is None:
            prepare_order(state, batches)
            batches.shuffle()
            rows = [arguments.row(int(i)) for i in batches.indices(state.position)]
            _check_size(arguments, len(rows), options)
            step = trace_step(arguments, state, batches, state.position, length, every=options.all)
        else:
            dataset, rows = _given_rows(prepared, data, options.rows)
            given = Batches(dataset, len(dataset), state.streams.shuffle)
            _check_size(arguments, len(rows), options)
            step = trace_step(arguments, state, given, 0, length, every=options.all)
    return Trace(
        source=source,
        step=step,
        epoch=epoch,
        batch=number,
        batches=length.steps_per_epoch,
        rows=tuple(rows),
        features=spec.encoder.features,
        targets=spec.head.explained.targets,
        labels=spec.head.scoring.classes,
        loss=arguments.loss.model_dump()["type"],
        loss_formula=arguments.loss.formulas(arguments.network.n_outputs)[0],
        optimizer=arguments.optimizer.model_dump()["type"],
        optimizer_formula=arguments.optimizer.formula(),
        predictions=arguments.loss.inverse_link(step.output),
        is_of_run=is_run(Path(source)),
        is_taught=prepared.distilled is not None,
        exposure=None if spec.encoder.exposure is None else spec.encoder.exposure.name,
        notes=tuple(notes),
    )


def _check_size(arguments: TrainingArguments, rows: int, options: TraceOptions) -> None:
    """Refuse to print and check more numbers than anybody reads, which would take minutes.

    Raises:
        UsageError: with --all there are more than MAX_ALL weights and values of units.
    """
    network = arguments.network
    widths = [d for *_, d in network.sequential.infer_widths(network.input_width)]
    n = sum(prod(spec.shape) for spec in network.layout.specs) + rows * sum(widths)
    use = TraceOptions.use
    if options.all and n > MAX_ALL:
        raise UsageError(
            Advice(use("all"), f" would show {n:,} numbers and their gradients, more than {MAX_ALL:,}"),
            hint=sentences(
                Advice("Choose few rows by ", use("rows", (1,), "1"), ", or a smaller network."),
                Advice("Or leave ", use("all"), " out: the JSON has all numbers."),
            ),
        )


def _given_rows(
    prepared: PreparedTraining, data: TableLocation | None, numbers: Sequence[int] | None
) -> tuple[Dataset, list[int]]:
    """Rows by their numbers: of a table, all of them by default, or of the rows that the network is fitted to.

    Raises:
        UsageError: there is no such row.
    """
    config, spec = prepared.config, prepared.spec
    if data is None:
        dataset, n_rows = prepared.fitted, prepared.table_rows
        at_hand = [prepared.arguments.row(i) for i in range(len(dataset))]
    else:
        with Scratch() as scratch:
            table = load_table(config, as_source(data), scratch, spec.dialect)
            store = drop_missing_targets(table, config)
            encoded = encode(config, store, spec.encoder, spec.target, spec.network, prepared.training, None)
        dataset, at_hand, n_rows = encoded.dataset, _numbers(encoded), len(table)
    position = {number: i for i, number in reversed([*enumerate(at_hand)])}
    chosen = list(at_hand if numbers is None else numbers)
    for number in chosen:
        if number not in position:
            if not 1 <= number <= n_rows:
                what, hint = "is not in the table", f"The table has {n_rows:,} rows, numbered from 1."
            elif data is None:
                what = "is no training row"
                hint = "Validation rows are not trained on; to take the step on them, name the table after CONFIG."
            else:
                what, hint = "of the table has no target", "Choose rows with a target."
            raise UsageError(f"row {number:,} {what}", hint=hint)
    at = np.array([position[number] for number in chosen])
    weights = None if dataset.weights is None else dataset.weights[at]
    return Dataset(dataset.X[at], dataset.codes[at], dataset.y[at], weights), chosen


def _numbers(rows: PreparedRows) -> list[int]:
    return list(range(1, len(rows) + 1)) if rows.row_numbers is None else rows.row_numbers.tolist()


MAX_ALL = 200_000
"""Weights and values of units that are all shown if asked for: each takes four forward passes."""
MAX_COLUMNS = 6
"""Columns of a matrix that the page has in any case; of one that has more columns and is large it has the norm."""


def trace_page(trace: dict[str, Any], history: dict[str, Any]) -> str:
    """The HTML of a traced step and of the training around it, both JSON objects; a file that loads nothing."""
    from nncli.analysis.trace_history import MAX_UNITS, PATH_STEPS
    from nncli.base.web_page import as_literal, base_style, html_text, offline_document, safe_script, template

    package = "nncli.api"
    shown = {**trace, "X": _cut(trace["X"]), "layers": _cut(trace["layers"]), "output": None, "predictions": None}
    data = json_safe({"trace": shown, "history": history, "maxUnits": MAX_UNITS, "pathSteps": PATH_STEPS})
    script = safe_script(f"const page = {as_literal(data)};\n{template('trace.js', package)}")
    style = base_style() + template("trace.css", package)
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
    return offline_document(title, style, body, script=script, version=__version__)


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
