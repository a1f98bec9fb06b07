"""`nncli plugins check`: what the tests of nncli prove of its parts, proven of a part of somebody else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from nncli.api.evaluate import evaluate
from nncli.api.explain import explain
from nncli.api.export import export_with
from nncli.api.load import load
from nncli.api.options import ExportOptions, TrainOptions
from nncli.api.report import report
from nncli.api.train import train, train_events_with
from nncli.base import plugins
from nncli.base.errors import ConfigError, NncliError, UsageError
from nncli.base.spec import non_defaults
from nncli.base.text import closest_match, quote
from nncli.config.errors.messages import validate
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump
from nncli.nn.arrays import Floats, Precision
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.gradcheck import gradcheck
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.losses import LossBase, MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam
from nncli.nn.training.loop import EpochReport
from nncli.nn.training.step import bind_gradient, bind_step
from nncli.run_directory.filenames import WEIGHTS
from nncli.targets.target import kind_of, kind_of_task

ROWS, FEATURES, CLASSES, EXPLAINED = 240, 3, 2, 5
EVENT = "happened"
"""The column of the event in the table of a loss of the time to one."""
TOLERANCE, FLOAT32_TOLERANCE = 1e-6, 1e-3
"""Relative errors of a gradient: of float64 against differences, and of float32 against float64."""
STEP_ROWS, STEP_BYTES = 2048, 6 * 1024
"""Rows of a step, and the bytes that a step may hold at once: less than an array of one float32 a row."""


@dataclass(frozen=True)
class CheckStep:
    """One step of a check: `passed` is None if it does not apply, and `detail` says why or what was seen."""

    name: str
    passed: bool | None
    detail: str = ""


@dataclass(frozen=True)
class PluginCheck:
    """The check of one part."""

    plugin: plugins.Plugin
    steps: tuple[CheckStep, ...]

    @property
    def passed(self) -> bool:
        """Whether no step failed."""
        return all(step.passed is not False for step in self.steps)

    def json(self) -> dict[str, Any]:
        """The check as JSON."""
        steps = [{"name": step.name, "passed": step.passed, "detail": step.detail} for step in self.steps]
        return {"name": self.plugin.name, "kind": self.plugin.kind, "passed": self.passed, "steps": steps}


def check_plugin(what: str | Path) -> tuple[PluginCheck, ...]:
    """Check the parts of a file of code, or those of a name in packages.

    Raises:
        UsageError: there is no such part, or it cannot be loaded.
    """
    if Path(what).suffix == ".py":
        parts = plugins.load_file(what)
    else:
        for entry in plugins.entries():
            if entry.name == what and (reason := plugins.load_entry(entry)) is not None:
                raise UsageError(f"{quote(entry.name)} cannot be loaded: {reason}")
        parts = tuple(about for about in plugins.plugins() if about.name == what)
    if not parts:
        near = closest_match(str(what), [entry.name for entry in plugins.entries()])
        hint = f"Did you mean {quote(near)}?" if near else "`nncli plugins` lists them; a file of code ends in .py."
        raise UsageError(f"there is no plugin {quote(str(what))}", hint=hint)
    return tuple(PluginCheck(about, tuple(_steps(about))) for about in parts)


def _steps(about: plugins.Plugin) -> Iterator[CheckStep]:
    """The steps of a check, one after the other."""
    part = plugins.loaded(about.kind)[about.name]
    yield CheckStep("loads", True, about.origin)
    if about.kind == "metrics":
        yield from _metric_steps(part)
    elif about.kind == "targets":
        loss = _loss_of(part)
        if loss is None:
            yield CheckStep("training", None, f"there is no loss with the task {about.name}")
            return
        keys = _keys("losses", loss)
        with TemporaryDirectory() as folder:
            yield from _training_steps(Path(folder), about.kind, loss, keys, _loss("losses", loss))
        return
    elif not isinstance(part, type):
        yield CheckStep("training", None, f"{about.kind} do not take part in a training")
        return
    try:
        keys, loss = _keys(about.kind, part), _loss(about.kind, part)
    except (NncliError, ValueError) as error:
        yield CheckStep("keys", False, _first_line(error))
        return
    if isinstance(part, type) and about.kind != "encoders":
        yield _step("YAML and JSON", lambda: _round_trip(keys))
    if about.kind in ("losses", "layers", "activations"):
        yield _step("gradient in float64", lambda: _gradient_error(keys, loss))
        yield _step("gradient in float32", lambda: _float32_error(keys, loss))
    if about.kind in ("losses", "layers", "activations", "optimizers"):
        yield _step("no allocation in a step", lambda: _allocated(keys, loss))
    if about.kind == "encoders" and not part.examples:
        yield CheckStep("training", None, "the class has no `examples` of cells")
        return
    with TemporaryDirectory() as folder:
        yield from _training_steps(Path(folder), about.kind, part, keys, loss)


def _loss_of(target: Any) -> Any:
    """The first loss of plugins for a kind of target; None without."""
    for entry in plugins.entries("losses"):
        plugins.load_entry(entry)
    return next((loss for loss in plugins.loaded("losses").values() if kind_of_task(loss.task) is target), None)


def _step(name: str, work: Callable[[], str]) -> CheckStep:
    """A step that passes with the text that `work` returns, and fails with what it raises."""
    try:
        return CheckStep(name, True, work())
    except NotImplementedError:
        return CheckStep(name, None, "not implemented")
    except Exception as error:  # whatever somebody's code raises
        return CheckStep(name, False, _first_line(error))


def _first_line(error: BaseException) -> str:
    named = error if isinstance(error, plugins.PluginError) else plugins.error_of_plugin(error)
    raised = (error.__cause__ if named is error else None) or error
    text = (str(raised.issues[0]) if isinstance(raised, ConfigError) else str(raised)).splitlines() or [""]
    line = f"line {named.location.line}: " if named is not None and named.location is not None else ""
    kind = "" if isinstance(raised, NncliError | AssertionError) else f"{type(raised).__name__}: "
    return f"{line}{kind}{text[0]}"


def _keys(kind: str, part: Any) -> dict[str, Any]:
    """The keys of a configuration with the part: required keys have the first of their `examples`."""
    if kind == "metrics":
        return {"metric": part.name}
    if kind == "encoders":
        return {}
    value: dict[str, Any] = {"type": part.model_fields["type"].default}
    for name, field in part.model_fields.items():
        if field.is_required():
            if not field.examples:
                raise UsageError(f"the key {name} is required: give it Field(examples=[...]) for the check")
            value[name] = field.examples[0]
    if kind == "losses":
        value |= dict.fromkeys(part.target_keys[:1], EVENT)
    keys: dict[str, dict[str, Any]] = {
        "losses": {"loss": value},
        "layers": {"layers": [8, value, 8]},
        "activations": {"activation": value},
        "optimizers": {"optimizer": value},
        "schedules": {"learning_rate": value},
    }
    return keys.get(kind, {})


def _config(keys: dict[str, Any], path: str = "table.csv", **more: Any) -> Config:
    data = {"path": path, "target": "y", **more.pop("data", {})}
    return Config.model_validate({"data": data, "layers": [8, 8], "epochs": 4, "workers": 1, **keys, **more})


def _loss(kind: str, part: Any) -> LossBase:
    """The loss of the check: the part itself, or the squared error."""
    return (_config(_keys("losses", part)).loss if kind == "losses" else None) or MSELoss()


def _round_trip(keys: dict[str, Any]) -> str:
    """The configuration with the part from YAML and from JSON is the same."""
    config = _config(keys)
    document = parse(dump(non_defaults(config)), "the YAML of the part")
    if validate(Config, document) != config or Config.model_validate_json(config.model_dump_json()) != config:
        raise AssertionError("it is another one after it was written and read")
    return ""


def _network(config: Config, loss: LossBase, precision: Precision, classes: int = CLASSES) -> Network:
    layers = (Dense(units=4, activation=config.activation), *config.hidden_layers)
    return Network(n_features=FEATURES, layers=layers, n_outputs=loss.checked_outputs(classes), precision=precision)


def _gradient_error(keys: dict[str, Any], loss: LossBase) -> str:
    errors = []
    for seed, classes in ((0, 2), (1, 2), (2, 3)):
        network, rng = _network(_config(keys), loss, "float64", classes), np.random.default_rng(seed)
        parameters = network.initialize(rng)
        parameters.theta[...] = rng.normal(0.0, 0.6, parameters.theta.shape)
        X, y, weights = rng.normal(size=(6, FEATURES)), loss.random_targets(rng, 6, classes), rng.uniform(0.2, 2.0, 6)
        errors.append(gradcheck(network, loss, parameters, X, y, weights=weights, seed=seed).error)
    if not max(errors) <= TOLERANCE:
        raise AssertionError(f"it differs from differences by {max(errors):.2g} of its length; at most {TOLERANCE:g}")
    return f"differs from differences by {max(errors):.1g} of its length"


def _gradient(network: Network, loss: LossBase, theta: Floats) -> Floats:
    rng = np.random.default_rng(1)
    parameters = network.initialize(rng)
    parameters.theta[...] = theta
    y = loss.random_targets(rng, 64, CLASSES)
    bound = network.bind(parameters, 64, training=TrainingContext(rng), needs_dX=True)
    bound.X[...] = rng.normal(size=bound.X.shape)
    head = loss.bind(bound.Z, y.astype(network.precision) if y.dtype == np.float64 else y, None)
    bound.forward()
    head.forward()
    bound.backward(head.backward())
    if parameters.grad.dtype != network.precision:
        raise AssertionError(f"the gradient is {parameters.grad.dtype}")
    return parameters.grad.astype(np.float64)


def _float32_error(keys: dict[str, Any], loss: LossBase) -> str:
    double, single = (_network(_config(keys), loss, precision) for precision in ("float64", "float32"))
    theta = np.random.default_rng(2).normal(0.0, 0.6, double.layout.size)
    exact, rounded = _gradient(double, loss, theta), _gradient(single, loss, theta)
    error = float(np.linalg.norm(exact - rounded) / max(float(np.linalg.norm(exact)), 1e-12))
    if not error <= FLOAT32_TOLERANCE:
        raise AssertionError(f"it differs from that in float64 by {error:.2g} of its length")
    return f"differs from that in float64 by {error:.1g} of its length"


def _allocated(keys: dict[str, Any], loss: LossBase) -> str:
    """A step holds no array that was not there before."""
    config, rng = _config(keys), np.random.default_rng(0)
    network = _network(config, loss, "float32")
    parameters = network.initialize(rng)
    y = loss.random_targets(rng, 2 * STEP_ROWS, CLASSES)
    X = rng.normal(size=(2 * STEP_ROWS, FEATURES)).astype(np.float32)
    codes = np.empty((2 * STEP_ROWS, 0), np.int64)
    batches = Batches(Dataset(X, codes, y.astype(np.float32) if y.dtype == np.float64 else y, None), STEP_ROWS, rng)
    batches.shuffle()
    optimizer = config.optimizer if "optimizer" in keys else Adam()
    state, groups = optimizer.init_state(parameters.theta), parameters.layout.groups
    optimize = optimizer.bind(parameters.theta, parameters.grad, state, groups=groups, progress=np.zeros(()))
    gradient = bind_gradient(
        network, parameters, loss, batches, slice(0, STEP_ROWS), STEP_ROWS, training=TrainingContext(rng)
    )
    step, peaks, t = bind_step(gradient, parameters.grad, optimize, penalty=None, clip_norm=None), [], 0
    tracemalloc.start()
    try:
        for _ in range(5):
            before, _peak = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for _ in range(20):
                t += 1
                step(t % 2, 1e-4, t)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    if min(peaks) >= STEP_BYTES:
        raise AssertionError(f"a step allocates {min(peaks):,} bytes: write into arrays of `bind` with out=")
    return ""


def _table(part: Any, kind: str, loss: LossBase) -> pl.DataFrame | None:
    """A table that the part can be trained on; None if there is none."""
    rng = np.random.default_rng(0)
    frame = {name: rng.normal(size=ROWS) for name in ("a", "b")}
    signal = frame["a"] - frame["b"] + 0.3 * rng.normal(size=ROWS)
    columns: dict[str, Any] = {**frame, "c": rng.choice(["u", "v"], ROWS)}
    target = kind_of_task(part.task) if kind == "metrics" else kind_of(loss)
    names, cells = ("y", *loss.target_columns), () if target is None else target.example(signal, rng)
    if len(names) != len(cells):
        return None
    columns |= zip(names, cells, strict=True)
    if kind == "encoders":
        columns["x"] = [part.examples[i % len(part.examples)] for i in rng.permutation(ROWS)]
    return pl.DataFrame(columns)


def _training_steps(folder: Path, kind: str, part: Any, keys: dict[str, Any], loss: LossBase) -> Iterator[CheckStep]:
    """The steps that need a trained run."""
    frame, path = _table(part, kind, loss), folder / "table.csv"
    if frame is None:
        task = part.task if kind == "metrics" else loss.task
        yield CheckStep("training", None, f"there is no table for {task}")
        return
    frame.write_csv(path)
    data = {"columns": {"x": part.model_fields["type"].default}} if kind == "encoders" else {}

    def config(name: str) -> Config:
        return _config(keys, str(path), data=data, output=str(folder / name), backend="numpy")

    trained = _step("training", lambda: f"{train(config('whole')).epochs} epochs")
    yield trained
    if not trained.passed:
        return
    whole = folder / "whole"

    def resumed() -> str:
        epochs = {"done": 0}
        for event in train_events_with(config("cut"), options=TrainOptions(stop=lambda: epochs["done"] >= 2)):
            if isinstance(event, EpochReport):
                epochs["done"] = event.epoch
        train(resume=folder / "cut")
        if (folder / "cut" / WEIGHTS).read_bytes() != (whole / WEIGHTS).read_bytes():
            raise AssertionError("the weights are other ones if the training was stopped and resumed")
        return ""

    def independent() -> str:
        model = load(whole)
        proba = model.classes is not None
        rows = model.predict(frame, proba=proba)
        ends = [0, 1, 2, 3, 10, 17, 120, ROWS]
        parts = [model.predict(frame.slice(a, b - a), proba=proba) for a, b in pairwise(ends)]
        if not pl.concat(parts).equals(rows):
            raise AssertionError("the prediction of a row depends on the rows beside it")
        return ""

    def exported() -> str:
        try:
            comparison = export_with(whole, folder / "model.py", options=ExportOptions(to="python")).comparison
        except UsageError as error:
            raise NotImplementedError from error
        return "" if comparison is None else "predicts the same"

    def averaged() -> str:
        several = train(config("several").model_copy(update={"members": 2}))
        evaluate(several.run, frame)
        return "trained and scored"

    def explained() -> str:
        for row in explain(whole, frame.head(EXPLAINED)).explained_rows:
            parts = np.array([row.base, *(each.contribution for each in row.contributions)])
            if not abs(parts.sum() - row.prediction) <= 0.01 * np.abs(parts).sum():
                raise AssertionError("contributions of columns do not add up to the predictions")
        return "contributions add up"

    yield _step("same bits after resume", resumed)
    yield _step("same bits in any batch", independent)
    if kind == "targets":
        yield _step("ensemble", averaged)
        yield _step("explanation", explained)
        yield _step("report", lambda: report(whole, output=folder / "report.html").html.name)
    if kind in ("targets", "losses", "layers", "activations", "encoders"):
        yield _step("export", exported)


def _metric_steps(metric: Any) -> Iterator[CheckStep]:
    """What holds of every metric."""
    rng = np.random.default_rng(0)
    kind = kind_of_task(metric.task)
    example = None if kind is None else kind.example_predictions(rng, 60)
    if example is None:
        return
    y, P = example
    weights = rng.integers(1, 4, 60).astype(np.float64)

    def value(y: Any, P: Any, w: Any) -> float:
        number = metric.function(y, P, w)
        return np.nan if number is None else float(number)

    def same(name: str, first: float, second: float) -> str:
        if not (np.isclose(first, second, rtol=1e-9, atol=1e-12) or (np.isnan(first) and np.isnan(second))):
            raise AssertionError(f"{name}: {first:g} and {second:g}")
        return ""

    order, repeated = rng.permutation(60), np.repeat(np.arange(60), weights.astype(np.int64))
    yield _step("order of rows", lambda: same("in another order", value(y, P, None), value(y[order], P[order], None)))
    yield _step("weights", lambda: same("w times", value(y, P, weights), value(y[repeated], P[repeated], None)))
