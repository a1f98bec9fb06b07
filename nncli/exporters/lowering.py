"""A trained model as a program: what `predict` computes, from the columns of a table to its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from nncli.base.errors import UsageError
from nncli.data.encoders.encoder import Encoder, lower_encoder, program_inputs
from nncli.data.encoders.numeric import OffsetColumn, PositiveColumn
from nncli.data.encoders.row_context import LoweredContext
from nncli.data.table import Table
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.model import Model
from nncli.nn.arrays import Precision
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import Program, build
from nncli.nn.program.values import Builder, Value, round_to
from nncli.run_directory.monitoring.reference import Bins, CategoryBins, NumberBins, Reference, columns_of
from nncli.targets.conformal import Lowered
from nncli.targets.output_columns import IntervalNodes, OutputNodes
from nncli.targets.target import Target


def _lower_context(encoder: Encoder, builder: Builder, inputs: Mapping[str, ProgramInput]) -> LoweredContext | None:
    """The columns that answers are relative to; None if there are none."""
    columns = encoder.context_columns
    if not columns:
        return None
    exposure, offset = (
        next((builder.input(inputs[column.name]) for column in columns if isinstance(column, kind)), None)
        for kind in (PositiveColumn, OffsetColumn)
    )
    return LoweredContext(exposure, offset)


@dataclass(frozen=True)
class LoweredPredictions:
    """The values of predictions: numbers or probabilities (rows, outputs), and quantiles (rows, targets · levels).

    They are relative to the `context`, if there is one.
    """

    values: Value
    quantiles: Value | None = None
    context: LoweredContext | None = None

    def absolute(self) -> LoweredPredictions:
        """The values in the context of their rows."""
        if self.context is None:
            return self
        quantiles = None if self.quantiles is None else self.context.absolute(self.quantiles)
        return LoweredPredictions(self.context.absolute(self.values), quantiles)

    def relative_to(self, context: LoweredContext) -> LoweredPredictions:
        """The values relative to a context."""
        if self.context is not None or context.exposure is None:
            return self
        return LoweredPredictions(self.values / context.exposure, context=context)


def lower_model(model: AnyModel, conformal: ConformalPredictor | None = None) -> Program:
    """The program that computes what `predict` answers, with the intervals of `conformal`.

    A row with an infinite number has NaN as its prediction, or the class code -1.

    Raises:
        UsageError: the members of an ensemble read a column differently, or no program computes what it predicts.
    """
    members = model.members if isinstance(model, Ensemble) else (model,)
    builder, inputs = Builder(), program_inputs([member.spec.encoder for member in members], model.spec.dialect)
    for column in inputs.values():
        builder.input(column)
    precision = members[0].spec.network.precision
    lowered = [_lower_member(member, builder, inputs) for member in members]
    context = _lower_context(members[0].spec.encoder, builder, inputs)
    if context is not None:  # a member may be of an older version, whose values are not relative
        is_relative = model.spec.target.is_relative
        lowered = [member.relative_to(context) if is_relative else member.absolute() for member in lowered]
    relative = _lower_mean(model, lowered, precision)
    mean = relative.absolute()
    bounds = () if conformal is None else _lower_intervals(conformal, lowered, precision)
    target, loss = model.spec.target, model.spec.loss
    deviations = None if relative.quantiles is None else target.lower_standard_deviations(loss, relative.quantiles)
    if deviations is not None and relative.context is not None and relative.context.exposure is not None:
        deviations = deviations * relative.context.exposure
    codes = target.lower_codes(mean.values, model.spec.decision)
    nodes = OutputNodes(
        target.lower_shown(mean.values).position,
        codes.position,
        None if mean.quantiles is None else target.lower_shown(mean.quantiles).position,
        loss.quantile_levels,
        None if deviations is None else deviations.position,
        bounds,
    )
    outputs = target.program_outputs(nodes)
    if not outputs:
        message = f"a model of {target.title} cannot be exported: only nncli computes its columns of predictions"
        raise UsageError(message, hint="Use `nncli predict` or `nncli serve`.")
    program = build(builder, outputs, precision, model.spec.missing_values)
    decimal = "," if model.spec.dialect.decimal == "," else "."
    return replace(program, decimal=decimal, thousands=model.spec.dialect.thousands)


def _lower_intervals(
    conformal: ConformalPredictor, members: Sequence[LoweredPredictions], precision: Precision
) -> tuple[IntervalNodes, ...]:
    """The bounds of each level; the calibration must not depend on groups of rows."""
    weights = conformal.model.spec.weights if isinstance(conformal.model, Ensemble) else None
    quantiles = [member.quantiles for member in members if member.quantiles is not None]
    rounded = conformal.model.spec.target.precision_of(precision)
    by_group = [
        round_to(rounded, weighted_mean([member.values for member in members], group, weights))
        for group in conformal.groups.members
    ]
    of_levels = [weighted_mean(quantiles, group, weights) for group in conformal.groups.members] if quantiles else []
    of_groups = Lowered(by_group, of_levels, members[0].context)
    bounds = [bound for each in conformal.calibrations if (bound := each.lower(of_groups)) is not None]
    if len(bounds) < len(conformal.calibrations):
        message = f"the intervals of {conformal.model.spec.target.title} cannot be exported: only nncli computes them"
        raise UsageError(message, hint="Use `nncli predict` or `nncli serve`.")
    return tuple(bounds)


def weighted_mean(values: Sequence[Value], members: Sequence[int], weights: Sequence[float] | None) -> Value:
    """The operations of the mean of the values of some members; equal weights for None."""
    if weights is None:
        return reduce(add, [values[i] for i in members]) / len(members) if len(members) > 1 else values[members[0]]
    total = reduce(add, [weights[i] for i in members])
    return reduce(add, [values[i] * weights[i] for i in members]) / total


def _lower_member(model: Model, builder: Builder, inputs: Mapping[str, ProgramInput]) -> LoweredPredictions:
    """The operations of `Model.predict`; see `nncli.models.model.decode`."""
    spec, p = model.spec, model.parameters.by_name
    features = lower_encoder(spec.encoder, builder, inputs, spec.network.precision)
    embedded = zip(spec.network.embeddings, features.embedded, strict=True)
    vectors = [column.codes.look_up(p[e.param_spec.name][column.member_codes]) for e, column in embedded]
    precision, target, column = spec.network.precision, spec.target, spec.encoder.exposure
    context = _lower_context(spec.encoder, builder, inputs) if target.is_relative else None
    z = spec.network.lower(model.parameters, features.X, vectors, adds_offset=context is None)
    values, quantiles = round_to(precision, spec.loss.lower_inverse_link(z)), spec.loss.lower_quantiles(z)
    if context is not None:
        decoded = target.lower_decode(values)
        relative = target.lower_clip_relative(decoded if column is None else decoded / column.center)
        if quantiles is None:
            return LoweredPredictions(relative, context=context)
        rounded, count = round_to(precision, quantiles), len(spec.loss.quantile_levels)
        of_levels = target.lower_clip_relative(target.lower_decode(rounded, count))
        return LoweredPredictions(relative, of_levels, context)
    if quantiles is None:
        return LoweredPredictions(_at_temperature(target, target.lower_decode(values), spec.temperature, precision))
    rounded, count = round_to(precision, quantiles), len(spec.loss.quantile_levels)
    return LoweredPredictions(target.lower_decode(values), target.lower_decode(rounded, count))


def _at_temperature(target: Target, P: Value, T: float, precision: Precision) -> Value:
    """The operations of `Predictions.with_temperature`."""
    return P if T == 1.0 else round_to(precision, target.calibration.lower(P, T))


def _lower_mean(model: AnyModel, members: Sequence[LoweredPredictions], precision: Precision) -> LoweredPredictions:
    """The operations of `Ensemble.average`."""
    if not isinstance(model, Ensemble):
        return members[0]
    values = mean_of(model, [member.values for member in members], precision)
    quantiles = [member.quantiles for member in members if member.quantiles is not None]
    every = range(len(members))
    of_levels = weighted_mean(quantiles, every, model.spec.weights) if quantiles else None
    return LoweredPredictions(values, of_levels, members[0].context)


def mean_of(model: Ensemble, values: Sequence[Value], precision: Precision) -> Value:
    """The mean of the members' values, which are given in the order of the members, in the classes of all."""
    target, aligned = model.spec.target, list[Value]()
    for member, member_values in zip(model.members, values, strict=True):
        scaled = _at_temperature(target, member_values, model.spec.temperature, precision)
        positions = target.positions_in(member.spec.target)
        aligned.append(scaled if positions is None else scaled.columns(positions))
    mean = weighted_mean(aligned, range(len(aligned)), model.spec.weights)
    return round_to(target.precision_of(precision), mean)


def exported_cells(model: AnyModel, table: Table) -> Table:
    """The table with the cells of its columns as an exported file takes them."""
    cells = [column.exported_cells(table).alias(column.name) for column in columns_of(model)]
    return replace(table, frame=table.frame.with_columns(cells))


def with_typical_values(program: Program, reference: Reference | None) -> Program:
    """The program whose inputs know the typical value of the training rows, as far as the reference profile does."""
    return replace(program, inputs=typical_inputs(program.inputs, reference))


def typical_inputs(inputs: Iterable[ProgramInput], reference: Reference | None) -> tuple[ProgramInput, ...]:
    """The inputs with the typical values of the training rows, as far as the reference profile knows them."""
    bins = {} if reference is None else {column.name: column for column in reference.columns}
    return tuple(_with_typical(column, bins.get(column.name)) for column in inputs)


def _with_typical(column: ProgramInput, bins: Bins | None) -> ProgramInput:
    match column, bins:
        case CategoryInput(), CategoryBins():
            return replace(column, typical=most_frequent(column.categories, bins))
        case (NumberInput() | DateInput(), NumberBins()):
            return replace(column, typical=median(bins))
        case _:
            return column


def most_frequent(categories: Iterable[str], bins: CategoryBins) -> str | None:
    """The most frequent of the categories that a model knows; None if more rows are missing."""
    names = {*categories}
    counts = zip(bins.categories, bins.counts[1:].tolist(), strict=False)
    return next((text for text, count in counts if text in names and count >= bins.counts[0]), None)


def median(bins: NumberBins) -> float | None:
    """The end of the interval that the median is in, which is a value of the reference; None if most are missing."""
    missing, present = bins.counts[0], bins.counts[1:].sum()
    if missing > present or not present:
        return None
    below = np.cumsum(bins.counts[1:])
    return float(bins.edges[np.searchsorted(below, below[-1] / 2.0)])
