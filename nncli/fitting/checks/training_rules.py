"""What is wrong with a training, by its losses, its health and its rows: a rule with its limits for each problem.

The limits are beyond the figures of good trainings, also of short, small and hard ones. A rule suggests keys of the
configuration. RULES is the table of all; LIVE are those that are certain during the training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import inf, isfinite, log10, sqrt

import numpy as np

from nncli.base.findings import FindingCode
from nncli.base.median import median
from nncli.base.text import format_number, format_percent, join_quoted, quote
from nncli.config.schema import Config
from nncli.fitting.checks.evidence import Evidence, RateTrial, dense, roughness_of
from nncli.fitting.checks.training_problem import TrainingProblem, layers_with, learning_rate, without_present
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.sequential import Dropout
from nncli.nn.losses import LossBase
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.training.health import Health

MAX_FINDINGS = 5


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _ratio(update: float) -> str:
    """An update relative to the weights, in percent, with what is usual."""
    return f"{100.0 * update:,.2g} % (0.1 % is usual)" if update < 1.0 else f"{100.0 * update:,.0f} % (0.1 % is usual)"


def target_leakage(e: Evidence) -> TrainingProblem | None:
    """The checks of the table found a column that predicts the target nearly perfectly by itself.

    Helps: the other columns alone, `data.features`.
    """
    code = FindingCode.TARGET_LEAKAGE
    said = [finding for finding in e.recorded if finding.code == code and finding.location.column is not None]
    if not said:
        return None
    leaks = {finding.location.column for finding in said}
    message = "; ".join(
        finding.message.replace("this column", f"column {quote(finding.location.column or '')}", 1) for finding in said
    )
    rest = [name for name in e.config.data.features or () if name not in leaks]
    sets = (f"data.features={json.dumps(rest, ensure_ascii=False)}",) if rest else ()
    advice = "The scores are not those of new rows if it is not known for them; without it they are honest"
    return TrainingProblem(code, message, 1.0, sets, advice)


EXPLODED = 100.0
"""Standard deviation of z of a hidden layer beyond which it has exploded; 1 is usual."""
FAR_FROM_BEST = 5.0
"""Factor between the learning rate and the best of a sweep from which it is named."""
MIN_GAIN = 0.1
"""Fraction of the scale by which the loss at the best rate of a sweep is lower."""


def _swept(e: Evidence) -> tuple[RateTrial, RateTrial] | None:
    """The trial of the best rate of a sweep, and that nearest to the rate of the training."""
    if not e.peak or not any(isfinite(trial.loss) for trial in e.rates):
        return None
    return min(e.rates, key=lambda t: t.loss), min(e.rates, key=lambda t: abs(log10(t.rate / e.peak)))


def learning_rate_too_high(
    e: Evidence, *, ratio: float = 0.05, rough: float = 0.1, learned: float = 0.3, grown: float = 30.0
) -> TrainingProblem | None:
    """The training diverged; or a step changes the weights by more than {ratio:.0%}, while the loss jumps by
    {rough:.0%} between epochs, little is learned, or units die; or z explodes in the training; or `--rates` finds a
    better rate.

    Helps: `learning_rate.peak`, `clip_norm`.
    """
    code, swept = FindingCode.LEARNING_RATE_TOO_HIGH, _swept(e)
    widest = [max((part.z_std for part in dense(moment)[:-1]), default=0.0) for moment in e.health] or [0.0]
    if widest[0] > EXPLODED:  # before the first step
        return None
    if e.diverged:
        at = e.health[-1].epoch if e.health else 0
        when = f"after epoch {at:,}" if at else "at the start"
        last = f"; {when} a step changed the weights by {_ratio(e.update_ratio)}" if e.health else ""
        message = f"the training diverged at learning rate {e.peak:.3g}{last}"
        return TrainingProblem(code, message, 1.0, (learning_rate(e.peak / 10.0), "clip_norm=1"))
    if swept is not None:
        best, nearest = swept
        worse = (nearest.loss - best.loss) / e.scale
        if nearest.rate >= FAR_FROM_BEST * best.rate and worse > MIN_GAIN:
            message = (
                f"the learning rate {e.peak:.3g} is too high: short trainings end at a loss of "
                f"{format_number(nearest.loss)} with it and {format_number(best.loss)} with {best.rate:.3g}"
            )
            return TrainingProblem(code, message, max(0.7, min(1.0, worse)), (learning_rate(best.rate),))
    grows = max(widest) > grown * widest[0]
    explodes = grows and max(widest) > EXPLODED
    jumps, stays = e.roughness > rough, len(e.reports) > 2 and e.learned < learned
    clear = jumps or (e.update_ratio > 4 * ratio and (stays or grows or dead_units(e) is not None))
    if swept is not None or not (explodes or (e.update_ratio > ratio and clear)):
        return None
    what = "the training loss stays near that of the baseline" if stays else "units die or z explodes"
    what = f"the training loss changes by {format_percent(e.roughness)} between epochs" if jumps else what
    what = f"z of a layer explodes from {widest[0]:.2g} to {max(widest):.2g}" if explodes else what
    message = (
        f"the learning rate {e.peak:.3g} is too high: a step changes the weights by {_ratio(e.update_ratio)}, "
        f"and {what}"
    )
    factor = min(0.1, max(1e-3, 0.01 / e.update_ratio)) if e.update_ratio > 0.0 else 0.1
    return TrainingProblem(code, message, max(0.7, 1.0 - max(0.0, e.learned)), (learning_rate(e.peak * factor),))


def learning_rate_too_low(
    e: Evidence, *, ratio: float = 3e-4, falling: float = 0.02, noise: float = 3.0
) -> TrainingProblem | None:
    """A step changes the weights by less than {ratio:.2%}, while the loss still falls; or a schedule is below a
    thousandth of its first rate in half of the epochs; or `--rates` finds a better higher rate.

    Helps: `learning_rate`, `clip_norm`.
    """
    code, swept = FindingCode.LEARNING_RATE_TOO_LOW, _swept(e)
    if swept is not None:
        best, nearest = swept
        worse = (nearest.loss - best.loss) / e.scale
        if best.rate >= FAR_FROM_BEST**2 * nearest.rate and worse > MIN_GAIN and e.learned < 0.9:
            message = (
                f"the learning rate {e.peak:.3g} is too low: short trainings end at a loss of "
                f"{format_number(nearest.loss)} with it and {format_number(best.loss)} with {best.rate:.3g}"
            )
            return TrainingProblem(code, message, min(1.0, worse), (learning_rate(best.rate),))
    tiny = sum(report.learning_rate < 1e-3 * e.peak for report in e.reports)
    waits = getattr(e.config.learning_rate, "type", "") == "reduce_on_plateau"
    if 2 * tiny > len(e.reports) and e.learned < 0.95 and not waits:
        message = (
            f"the learning rate falls too soon: in {tiny:,} of {len(e.reports):,} epochs it is below a thousandth of "
            f"the first, and ends at {e.reports[-1].learning_rate:.1g}"
        )
        return TrainingProblem(code, message, 0.5, (f"learning_rate={{type: cosine, peak: {e.peak:g}}}",))
    if swept is not None or len(e.reports) < 3 or not e.health or not 0.0 < e.update_ratio < ratio:
        return None
    quarter = e.losses[-max(2, len(e.losses) // 4) :]
    slope = (quarter[0] - quarter[-1]) / e.scale
    if e.health[-1].gradient_noise > noise or (slope < falling and e.learned > 0.1):
        return None
    factor, clip = 1e-3 / max(e.update_ratio, 1e-9), e.config.clip_norm
    norm = median(np.array([moment.gradient_norm for moment in e.health]))
    is_clipped = isinstance(clip, float) and norm > 10.0 * clip
    subject = f"the learning rate {e.peak:.3g} is too low"
    subject = f"clip_norm {clip:g} is too low for gradients of norm {norm:.2g}" if is_clipped else subject
    message = (
        f"{subject}: a step changes the weights by {_ratio(e.update_ratio)}, and after "
        f"{_count(len(e.reports), 'epoch')} the training loss is still falling"
    )
    sets = "clip_norm=1" if is_clipped else learning_rate(e.peak * min(factor, 1e4))
    return TrainingProblem(code, message, min(1.0, 1.0 - e.learned), (sets,))


def unscaled_inputs(e: Evidence, *, limit: float = 10.0) -> TrainingProblem | None:
    """`encoding.numeric: none`, and features of a size above {limit:g}.

    Helps: `encoding.numeric=standard`.
    """
    if e.config.encoding.numeric != "none" or not e.health:
        return None
    first = e.health[0].layers[0]
    size = e.rows.size if e.rows is not None else max(first.z_std, abs(first.z_mean))
    if size <= limit:
        return None
    name = f"those of {quote(e.rows.widest)}" if e.rows is not None and e.rows.widest else "they"
    message = f"the features are not scaled: {name} are of the size {format_number(size)}, and 1 is usual"
    return TrainingProblem(FindingCode.UNSCALED_INPUTS, message, 0.95, ("encoding.numeric=standard",))


def _without_output_activation(config: Config) -> tuple[str, ...]:
    """The assignments that leave the output unbounded, with a target of the size 1."""
    given = ("output_activation=null",) if config.output_activation is not None else ()
    is_left_out = (config.loss or LossBase).scaling.is_left_out(config.encoding.target)
    return (*given, "encoding.target=standard") if is_left_out else given


def unreachable_target(e: Evidence, *, learned: float = 0.1) -> TrainingProblem | None:
    """Training targets are outside the range of `output_activation`; or its output is the same in all rows and passes
    no gradient on, and less than {learned:.0%} of the loss is learned.

    Helps: `output_activation=null`.
    """
    code, f = FindingCode.UNREACHABLE_TARGET, e.config.output_activation
    if f is None:
        return None
    sets = _without_output_activation(e.config)
    said = next((finding for finding in e.recorded if finding.code == code), None)
    if said is not None:
        return TrainingProblem(code, said.message, 1.0, sets)
    last = dense(e.health[-1])[-1] if e.health and e.health[-1].epoch else None
    if last is None or last.a_std > 0.0 or last.gradient_norm > 0.0 or e.learned >= learned:
        return None
    message = (
        f"the {f.type} output is {format_number(last.a_mean)} in all rows and passes no gradient on, so the network "
        "cannot learn"
    )
    return TrainingProblem(code, message, 1.0, (*sets, *layers_with(e.config)))


def unscaled_target(e: Evidence, *, limit: float = 10.0, learned: float = 0.9) -> TrainingProblem | None:
    """`encoding.target: none`, a target of a size above {limit:g}, and less than {learned:.0%} of the loss is learned.

    Helps: `encoding.target=standard`.
    """
    loss = e.config.loss
    if loss is None or not loss.scaling.is_left_out(e.config.encoding.target) or not e.health:
        return None
    size = 1.0 if e.rows is None else e.rows.target_size
    if e.rows is None and not e.health[0].epoch:
        size = loss.target_size(e.health[0].loss)
    if size <= limit or e.learned > learned:
        return None
    message = f"the target is not scaled: it is of the size {format_number(size)}, and 1 is usual"
    return TrainingProblem(FindingCode.UNSCALED_TARGET, message, 1.0, _without_output_activation(e.config))


def strong_penalty(
    e: Evidence, *, shrunk: float = 0.25, alone: float = 0.1, gap: float = 0.05, most: float = 0.8, little: float = 0.5
) -> TrainingProblem | None:
    """`l1`, `l2` or weight decay has shrunk the weights of a layer to less than {shrunk:.0%}, and the nearest rows
    predict better by {gap:g} (without rows, to less than {alone:.0%}); or dropout of more than half of the units,
    without which the loss is lower by {gap:.0%}; or of {most:.0%}, with which less than {little:.0%} is learned.

    Helps: a smaller penalty, less dropout.
    """
    if len(e.health) < 2:
        return None
    names = [key for key in ("l1", "l2") if getattr(e.config, key)]
    decay = getattr(e.config.optimizer, "weight_decay", 0.0)
    names += ["optimizer.weight_decay"] if isinstance(decay, float) and decay > 0.1 else []
    if _drops(e.config) and e.reports and e.rows is not None:
        loss, without = e.reports[-1].loss, e.reports[-1].val_loss
        is_most = _drops(e.config, rate=most - 0.01) and e.learned < little
        if is_most or underfitting(e) is not None or (without is not None and loss - without > gap * e.scale):
            message = f"dropout is too strong: with it, the training loss ends at {format_number(loss)}"
            message += "" if without is None else f", and the validation loss without it at {format_number(without)}"
            return TrainingProblem(FindingCode.STRONG_PENALTY, message, 1.0, layers_with(e.config, dropout=0.2))
    parts = zip(dense(e.health[0]), dense(e.health[-1]), strict=True)
    left = min((last.weight_norm / first.weight_norm for first, last in parts if first.weight_norm), default=1.0)
    is_certain = left < alone if e.rows is None else (e.rows.neighbors or 0.0) - (e.rows.network or 0.0) >= gap
    if not names or left >= shrunk or not is_certain:
        return None
    message = f"the penalty is too strong: {' and '.join(names)} has shrunk a layer to {left:.1g} of its norm"
    return TrainingProblem(FindingCode.STRONG_PENALTY, message, 1.0, tuple(f"{name}=0" for name in names))


def equal_units(e: Evidence) -> TrainingProblem | None:
    """`init` gives all units of a layer the same weights, which get the same gradient.

    Helps: `init=null`.
    """
    layers = [layer for layer in e.config.layers if isinstance(layer, Dense) and layer.units != 1]
    types = [init.type for layer in layers if (init := layer.init or e.config.init) is not None]
    same = next((name for name in types if name in ("constant", "zeros")), None)
    if same is None:
        return None
    message = f"the units of a layer stay equal: their first weights (init: {same}) and gradients are the same"
    return TrainingProblem(FindingCode.EQUAL_UNITS, message, 1.0, layers_with(e.config))


def exploding_gradients(e: Evidence, *, norm: float = 1e4, z: float = EXPLODED) -> TrainingProblem | None:
    """z of a hidden layer has a standard deviation above {z:g}, or the gradient a norm above {norm:,.0f} times the
    loss.

    Helps: `init`, `learning_rate.peak`, `clip_norm`.
    """
    limit = norm * max(1.0, e.scale) if isfinite(e.scale) else norm
    for moment in e.health:
        hidden = max(dense(moment)[:-1], key=lambda part: part.z_std, default=None)
        spread = 0.0 if hidden is None else hidden.z_std
        if isfinite(moment.gradient_norm) and moment.gradient_norm <= limit and spread <= z:
            continue
        when = (
            f"after {_count(moment.epoch, 'epoch')} at rate {e.peak:.3g}" if moment.epoch else "before the first step"
        )
        message = (
            f"z explodes: that of {hidden.name} has a standard deviation of {spread:.2g} {when} (1 is usual)"
            if hidden is not None and spread > z
            else f"the gradient explodes: its norm is {moment.gradient_norm:.2g} {when}"
        )
        given = () if e.config.init is None else layers_with(e.config)
        given = (learning_rate(e.peak / 10.0),) if moment.epoch else given
        given = (*given, "clip_norm=1")
        return TrainingProblem(FindingCode.EXPLODING_GRADIENTS, message, 0.9, given)
    return None


DEEP = 3
"""Dense layers of a network that learns a table well."""


def vanishing_gradients(
    e: Evidence, *, ratio: float = 1e-3, small: float = 0.02, learned: float = 0.5, z: float = 1e-3
) -> TrainingProblem | None:
    """At the start, the gradient of the first layer is less than {ratio:.1%} of that of the output, or less than
    {small:.0%} and at most {learned:.0%} of the loss is learned; or z of a layer has a standard deviation below {z:g}.

    Helps: `activation`, `init`, fewer layers.
    """
    early = [m for m in e.health if m.epoch <= 2 and len(m.layers) > 3 and dense(m)[-1].gradient_norm > 0.0]
    if not early:
        return None
    first = max(dense(m)[0].gradient_norm / dense(m)[-1].gradient_norm for m in early)
    flattest = max((min(dense(m)[:-1], key=lambda part: part.z_std) for m in early), key=lambda part: part.z_std)
    stays = e.rows is not None and e.learned < learned  # while it trains, that may only be the beginning
    if first <= (small if stays else ratio):
        what = f"gradient vanishes: that of {dense(early[0])[0].name} is {first:.1g} of that of the output"
    elif flattest.z_std < z:
        what = f"signal vanishes: z of {flattest.name} has a standard deviation of {flattest.z_std:.1g} (1 is usual)"
    else:
        return None
    message = f"the {what}, so that the first layers hardly learn"
    sets = layers_with(e.config, "relu", most=DEEP)
    return TrainingProblem(FindingCode.VANISHING_GRADIENTS, message, 0.9, sets)


def saturated_units(e: Evidence, *, share: float = 0.5) -> TrainingProblem | None:
    """{share:.0%} of the values of a bounded activation are flat, from the start on.

    Helps: scaling, `init`, `activation=relu`.
    """
    early = [m for m in e.health if m.epoch <= 1] or list(e.health[:1])
    worst = [max(((p.saturated or 0.0), p.name) for p in dense(m)) for m in early]
    if not worst or min(worst)[0] < share:
        return None
    value, name = worst[-1]
    message = f"{format_percent(value)} of the values of {name} are saturated, where the activation is flat"
    scale = ("encoding.numeric=standard",) if e.config.encoding.numeric == "none" else ()
    given = () if e.config.init is None else layers_with(e.config)
    return TrainingProblem(
        FindingCode.SATURATED_UNITS, message, 0.9 * value, (*scale, *given) or layers_with(e.config, "relu")
    )


def dead_units(
    e: Evidence, *, share: float = 0.4, nearly_all: float = 0.8, learned: float = 0.8
) -> TrainingProblem | None:
    """{share:.0%} of the units of a layer are 0 in all rows and less than {learned:.0%} of the loss is learned, or
    {nearly_all:.0%} are.

    Helps: `learning_rate.peak`, `activation=leaky_relu`.
    """
    if not e.health:
        return None
    last = e.health[-1]
    value, name = max(((p.dead or 0.0), p.name) for p in dense(last))
    if value < share or (e.learned > learned and value < nearly_all):
        return None
    message = (
        f"{format_percent(value)} of the units of {name} are dead after {_count(last.epoch, 'epoch')}: "
        "they pass no gradient on"
    )
    return TrainingProblem(
        FindingCode.DEAD_UNITS,
        message,
        0.6 * value,
        (learning_rate(e.peak / (10.0 if value >= nearly_all else 3.0)), *layers_with(e.config, "leaky_relu")),
    )


def _drops(config: Config, *, rate: float = 0.5) -> bool:
    return any(isinstance(layer, Dropout) and layer.rate > rate for layer in config.layers)


def initial_loss(e: Evidence, *, factor: float = 20.0, falling: float = 5.0) -> TrainingProblem | None:
    """The loss before the first step is {factor:g} times that of the best constant (of classes, of equal probabilities,
    if that is larger); or {falling:g} times, and still falls at the end.

    Helps: `init`.
    """
    if e.rows is None or not e.health or e.health[0].epoch or e.rows.baseline <= 0.0:
        return None
    start, is_zero = e.health[0].loss, e.rows.zero > e.rows.baseline
    usual = e.rows.zero if is_zero else e.rows.baseline
    if _drops(e.config) or start <= (factor if too_few_epochs(e) is None else falling) * usual:
        return None
    what = "equal probabilities" if is_zero else "the best constant"
    message = (
        f"the loss before the first step is {format_number(start)}, and that of {what} {format_number(usual)}: "
        "the first steps only undo the initialization"
    )
    return TrainingProblem(FindingCode.INITIAL_LOSS, message, 0.5, layers_with(e.config))


def few_rows_dominate(e: Evidence, *, share: float = 0.3) -> TrainingProblem | None:
    """A hundredth of the rows has {share:.0%} of the gradient of the best constant; or the checks of the table warned
    of a cell far from all others.

    Helps: check these rows; `loss=huber`; `data.missing_values`.
    """
    code = FindingCode.FEW_ROWS_DOMINATE
    warned = [finding for finding in e.recorded if finding.level == "warning"]
    sentinels = [finding for finding in warned if finding.code == FindingCode.SENTINEL_VALUE]
    if sentinels:
        names = join_quoted(finding.location.column or "" for finding in sentinels)
        same = f"; the columns with such a value are {names}" if len(sentinels) > 1 else ""
        cost = 0.3 if e.rows is None else max(0.3, e.rows.heavy)
        advice = sentinels[0].hint.rstrip(".")
        return TrainingProblem(code, f"{sentinels[0].message}{same}", cost, advice=advice)
    if e.rows is None or e.rows.heavy < share:
        said = next((finding for finding in warned if finding.code == FindingCode.OUTLIER), None)
        return None if said is None else TrainingProblem(code, said.message, 0.3, advice=said.hint.rstrip("."))
    rows = ", ".join(f"{row:,}" for row in e.rows.heavy_rows)
    heavy = format_percent(e.rows.heavy)
    message = f"1 % of the rows, such as rows {rows}, have {heavy} of the gradient: they decide what is learned"
    robust = () if e.config.loss is None else e.config.loss.robust
    advice = "Check these rows for wrong cells"
    return TrainingProblem(code, message, e.rows.heavy, robust, advice)


def conflicting_targets(e: Evidence, *, share: float = 0.1) -> TrainingProblem | None:
    """{share:.0%} of the rows have the features of others and another target.

    Helps: a further column; correct labels.
    """
    if e.rows is None or e.rows.contradicting < share or e.rows.example is None:
        return None
    row, other = e.rows.example
    message = (
        f"at least {format_percent(e.rows.contradicting)} of the rows must be predicted wrong: rows of the same "
        f"features have different targets, such as rows {row:,} and {other:,}"
    )
    advice = "Add the column that tells them apart, or correct the labels"
    return TrainingProblem(FindingCode.CONFLICTING_TARGETS, message, e.rows.contradicting, (), advice)


def underfitting(e: Evidence, *, gap: float = 0.1, narrow: int = 3) -> TrainingProblem | None:
    """The scores of the five nearest other training rows are better by {gap:g} than those of the network. It is the
    cause of other findings if a layer has at most {narrow} units.

    Helps: more layers or units, a smaller penalty, a better learning rate (`--rates`).
    """
    if e.rows is None or e.rows.neighbors is None or e.rows.network is None or len(e.reports) < 3:
        return None
    missing = e.rows.neighbors - e.rows.network
    if missing <= gap:
        return None
    message = (
        f"the network underfits: on the training rows its {e.rows.score} is {e.rows.network:.2f}, and that of the five "
        f"nearest other rows {e.rows.neighbors:.2f}"
    )
    weak = [f"{key}=0" for key in ("l1", "l2") if getattr(e.config, key)]
    units = [layer.units for layer in e.config.layers if isinstance(layer, Dense) and layer.units != "auto"]
    is_large, is_narrow = len(units) > 1 and min(units) >= 64, bool(units) and min(units) <= narrow
    advice = "The network is not small: try learning rates with `nncli diagnose --rates`" if not e.rates else ""
    sets = weak if is_large else ["layers=[64, 64]", *weak]
    cost, advice = 0.8 if is_narrow else min(0.7, missing), advice if is_large else ""
    return TrainingProblem(FindingCode.UNDERFITTING, message, cost, tuple(sets), advice, is_cause=is_narrow)


FIRST_EPOCHS = 2
"""Epochs after which a training of many has its best one only if its steps are large."""


def penalty_of(rows: int) -> float:
    """The `l2` for so many training rows, 0.1 for a hundred: beside the mean loss it falls as they grow."""
    return float(f"{min(0.1, 10.0 / max(1, rows)):.1g}")


def overfitting(
    e: Evidence, *, share: float = 0.5, rise: float = 0.03, wide: float = 0.3, exact: float = 0.05
) -> TrainingProblem | None:
    """The validation loss rises by {rise:.0%}, and {share:.0%} of what was learned does not hold there; or the
    training loss ends at {exact:.0%} of it.

    Helps: rows, `members=8`, `l2`.
    """
    values = [report.val_loss for report in e.reports if report.val_loss is not None]
    if len(values) < 3 or len(values) < len(e.reports) or e.learned <= 0.0:
        return None
    best = int(np.argmin(values))
    gap = (values[-1] - e.losses[-1]) / (e.learned * e.scale)
    risen = (values[-1] - values[best]) / e.scale
    at_best = (values[best] - e.losses[best]) / (e.learned * e.scale)
    rises = max(at_best, gap * 0.5) > share and risen > rise
    if not rises and (gap <= wide or not 0.0 <= e.losses[-1] <= exact * values[-1]):
        return None
    message = (
        f"the network overfits: the validation loss was {format_number(values[best])} at epoch {best + 1:,}, and ends "
        f"at {format_number(values[-1])}, while the training loss fell to {format_number(e.losses[-1])}"
    )
    is_learned_by_heart = 0.0 <= e.losses[-1] <= exact * values[-1]
    of_best = "The weights of the best epoch are kept anyway"
    advice = f"More rows help most; else {{}}. {of_best}"
    sets: tuple[str, ...] = ("members=8",)
    other = "the mean of several networks, which take longer"
    if is_learned_by_heart and best < FIRST_EPOCHS < len(values) // 10:
        sets = (learning_rate(e.peak / 10.0), "members=8")
        other = f"a lower learning rate, as the best epoch is number {best + 1:,}, and the mean of several networks"
    elif is_learned_by_heart:
        l2 = max(penalty_of(e.training_rows), 3.0 * e.config.l2)
        sets, other = (f"l2={l2:g}", "members=8"), "a penalty and the mean of several networks"
    return TrainingProblem(FindingCode.OVERFITTING, message, min(1.0, gap) / 2.0, sets, advice.format(other))


def class_never_predicted(
    e: Evidence, *, recall: float = 0.15, rare: float = 0.1, rows: int = 10, found: float = 0.5
) -> TrainingProblem | None:
    """The scores say so; or the class is predicted for less than {recall:.0%} of its held-out or training rows. It is
    said first if less than {rare:.0%} of the rows have it.

    Helps: of two classes [`nncli threshold`](../commands.md#nncli-threshold); else `class_weight=balanced`, which makes
    accuracy and log loss worse.
    """
    code = FindingCode.CLASS_NEVER_PREDICTED
    message = next((finding.message for finding in e.recorded if finding.code == code), "")
    if not message and e.missed is not None and e.missed.recall < recall:
        message = (
            f"class {quote(e.missed.label)}, which {format_percent(e.missed.share)} of the held-out rows have, is "
            f"predicted for {format_percent(e.missed.recall)} of these only"
        )
    if not message and e.rows is not None and e.rows.missed and e.rows.recall < recall:
        message = (
            f"class {quote(e.rows.missed)} is predicted for {format_percent(e.rows.recall)} of its training rows only"
        )
    if not message:
        return None
    if e.missed is not None and e.missed.n_classes == 2 and e.missed.recall < recall:
        is_rare, enough = e.missed.share < rare, e.missed.rows >= rows
        advice = "A lower threshold finds more of them, with more false alarms; costs may choose it, too"
        advice = (
            advice if enough else "class_weight finds more of them, with more false alarms, as `nncli threshold` does"
        )
        # a few rows do not tell the highest F1
        options: tuple[str, ...] = ("--recall", f"{found:g}") if is_rare else ("--f1",)
        goal = (*options, "--positive", e.missed.label) if enough else ()
        sets = () if enough else ("class_weight=balanced",)
        return TrainingProblem(code, message, 1.0 if is_rare else 0.55, sets, advice, goal, is_cause=is_rare)
    advice = "With class_weight=balanced it is predicted more often, but accuracy and log loss get worse"
    return TrainingProblem(code, message, 0.2, (), advice)


def plateau(e: Evidence, *, flat: float = 0.03, later: float = 0.15, share: float = 0.2) -> TrainingProblem | None:
    """The loss stays within {flat:.0%} for {share:.0%} of the epochs, and falls by {later:.0%} after that.

    Helps: a higher learning rate.
    """
    losses, n = e.losses, len(e.losses)
    width = int(share * n)
    if width < 5 or not isfinite(e.scale):
        return None
    falls = (losses[: n - width] - losses[width:]) / e.scale
    rests = (losses[width:] - losses.min()) / e.scale
    at = [
        i
        for i in range(n - width)
        if abs(falls[i]) < flat
        and min(report.learning_rate for report in e.reports[i : i + width]) > 0.3 * e.peak
        and rests[i] > later
        and losses[: i + 1].min() >= losses[i] - flat * e.scale
    ]
    if not at:
        return None
    message = (
        f"the training loss stays near {format_number(losses[at[0]])} from epoch {at[0] + 1:,} to "
        f"{at[-1] + width + 1:,} of {n:,}, and falls only then"
    )
    return TrainingProblem(FindingCode.PLATEAU, message, 0.3, (learning_rate(e.peak * 3.0),))


def too_few_epochs(
    e: Evidence,
    *,
    steady: float = 0.2,
    falling: float = 0.03,
    few: int = 500,
    slowly: float = 0.015,
    apart: float = 0.2,
) -> TrainingProblem | None:
    """The last fifth of the epochs is the best, where the loss falls by {falling:.0%} ({slowly:.1%} in at most {few}
    steps) without a lower learning rate; or early stopping ends the training at its best epoch.

    Helps: `epochs`, `early_stopping`.
    """
    n = len(e.reports)
    if not n or e.peak == 0.0 or e.reports[-1].learning_rate < steady * e.peak:
        return None
    values = [r.val_loss if r.val_loss is not None else r.loss for r in e.reports]
    stopping = e.config.early_stopping
    if n < _epochs(e.config):
        if stopping is None or (stopping.min_delta == 0.0 and stopping.patience > 3):
            return None
        slope = (e.losses[-1 - max(1, n // 5)] - e.losses[-1]) / e.scale if n > 1 else 0.0
        if values[-1] - min(values) > (slowly if slope > slowly else 0.0) * e.scale:
            return None
        message = (
            f"early stopping ends the training after {n:,} of {_epochs(e.config):,} epochs, while the loss falls: "
            f"patience={stopping.patience} and min_delta={stopping.min_delta:g} do not wait long enough"
        )
        sets = ("early_stopping.patience=20", "early_stopping.min_delta=0")
        return TrainingProblem(FindingCode.TOO_FEW_EPOCHS, message, 0.5, sets)
    last, limit = max(1, n // 5), falling
    steps = e.health[-1].step * n / max(1, e.health[-1].epoch) if e.health else inf
    if steps <= few and values[-1] - e.losses[-1] < apart * e.scale:
        values, limit = [e.health[0].loss, *e.losses.tolist()], slowly
    if len(values) < 2 or min(values[-last:]) > min(values):
        return None
    slope = (values[-1 - last] - values[-1]) / e.scale
    if slope < limit:
        return None
    span = f"{last:,} epochs" if last > 1 else "epoch"
    message = (
        f"{_count(n, 'epoch')} {'is' if n == 1 else 'are'} too few: in the last {span} the loss fell from "
        f"{format_number(values[-1 - last])} to {format_number(values[-1])}"
    )
    return TrainingProblem(FindingCode.TOO_FEW_EPOCHS, message, min(0.7, 3.0 * slope), (f"epochs={max(10, 3 * n)}",))


def batch_noise(
    e: Evidence,
    *,
    noise: float = 5.0,
    tiny: float = 2.0,
    rough: float = 0.1,
    learned: float = 0.95,
    normalized: float = 0.8,
) -> TrainingProblem | None:
    """The gradients of batches of at most 16 rows have a standard deviation of {noise:g} times their mean, and the loss
    jumps by {rough:.0%} between epochs; of at most 4 rows, of {tiny:g} times, and half of that. Or `batch_norm` has
    batches of at most 4 rows, and less than {normalized:.0%} of the validation loss is learned.

    Helps: `batch_size`, with `learning_rate.peak` of SGD.
    """
    late = [m.gradient_noise for m in e.health if m.epoch >= 2]
    values = np.array([r.val_loss if r.val_loss is not None else r.loss for r in e.reports])
    if not isinstance(e.config.batch_size, int) or e.learned > learned:
        return None
    mixing = next((layer.type for layer in e.config.layers if layer.mixes_rows), "")
    if mixing and e.config.batch_size <= 4 and len(values) > 2 and values.min() > (1.0 - normalized) * e.scale:
        message = (
            f"{mixing} has batches of {_count(e.config.batch_size, 'row')}, whose mean and variance differ from those "
            f"of prediction (32 rows and more are usual); the best loss is {format_number(values.min())}"
        )
        return TrainingProblem(FindingCode.BATCH_NOISE, message, 0.8, ("batch_size=64",))
    if not late:
        return None
    spread, jump = median(np.minimum(late, 1e9)), max(roughness_of(values, e.scale), e.roughness)
    is_tiny = e.config.batch_size <= 4
    if e.config.batch_size > 16 or spread < (tiny if is_tiny else noise) or jump < (rough / 2.0 if is_tiny else rough):
        return None
    message = (
        f"batches of {_count(e.config.batch_size, 'row')} are too small: the standard deviation of their gradients is "
        f"{spread:.2g} times the mean (of {8 * e.config.batch_size:,} rows about {spread / sqrt(8.0):.2g} times), and "
        f"the loss changes by {format_percent(jump)} between epochs"
    )
    larger = (learning_rate(sqrt(8.0) * e.peak),) if isinstance(e.config.optimizer, Sgd) else ()
    sets = (f"batch_size={8 * e.config.batch_size}", *larger)
    return TrainingProblem(FindingCode.BATCH_NOISE, message, 0.4, sets)


def _epochs(config: Config) -> int:
    return 0 if config.epochs == "auto" else config.epochs


Rule = Callable[[Evidence], TrainingProblem | None]
LIVE: tuple[Rule, ...] = (
    unreachable_target,
    unscaled_target,
    strong_penalty,
    equal_units,
    learning_rate_too_high,
    unscaled_inputs,
    exploding_gradients,
    vanishing_gradients,
    saturated_units,
    dead_units,
)
RULES: tuple[Rule, ...] = (
    target_leakage,
    class_never_predicted,
    *LIVE,
    learning_rate_too_low,
    initial_loss,
    few_rows_dominate,
    conflicting_targets,
    underfitting,
    overfitting,
    plateau,
    too_few_epochs,
    batch_noise,
)


def before_divergence(health: Sequence[Health]) -> str:
    """What a training was like before it diverged; empty if it was never measured."""
    if not health:
        return ""
    last, first = health[-1], health[0]
    when = f"after epoch {last.epoch:,} a step" if last.epoch else "the first step"
    layer = max(dense(last), key=lambda part: part.update_ratio if isfinite(part.update_ratio) else inf)
    grown = f", {first.gradient_norm:.2g} before the training" if last.epoch else ""
    ratio = layer.update_ratio
    change = format_percent(ratio) if ratio < 10.0 else f"{ratio:.2g} times the size"
    return (
        f"{when} changed {layer.name} by {change} of its weights, and the norm "
        f"of the gradient was {last.gradient_norm:.2g}{grown}"
    )


CODE = FindingCode
OF_SETTING = {CODE.UNREACHABLE_TARGET, CODE.UNSCALED_TARGET, CODE.STRONG_PENALTY, CODE.EQUAL_UNITS}
OF_STEPS = OF_SETTING | {
    CODE.LEARNING_RATE_TOO_HIGH,
    CODE.UNSCALED_INPUTS,
    CODE.EXPLODING_GRADIENTS,
    CODE.VANISHING_GRADIENTS,
    CODE.SATURATED_UNITS,
}
CONSEQUENCES = {
    CODE.UNSCALED_TARGET: {CODE.UNREACHABLE_TARGET},
    CODE.VANISHING_GRADIENTS: OF_SETTING,
    CODE.PLATEAU: OF_STEPS | {CODE.BATCH_NOISE, CODE.DEAD_UNITS},
    **dict.fromkeys((CODE.OVERFITTING, CODE.BATCH_NOISE), OF_STEPS),
    CODE.CLASS_NEVER_PREDICTED: OF_STEPS
    | {CODE.LEARNING_RATE_TOO_LOW, CODE.DEAD_UNITS, CODE.UNDERFITTING, CODE.TOO_FEW_EPOCHS, CODE.OVERFITTING},
    CODE.LEARNING_RATE_TOO_HIGH: OF_SETTING | {CODE.UNSCALED_INPUTS},
    CODE.INITIAL_LOSS: OF_STEPS - {CODE.LEARNING_RATE_TOO_HIGH},
    CODE.DEAD_UNITS: OF_STEPS | {CODE.BATCH_NOISE},
    CODE.LEARNING_RATE_TOO_LOW: OF_STEPS | {CODE.INITIAL_LOSS},
    CODE.EXPLODING_GRADIENTS: OF_SETTING | {CODE.LEARNING_RATE_TOO_HIGH, CODE.UNSCALED_INPUTS},
    CODE.SATURATED_UNITS: {CODE.UNSCALED_INPUTS},
    CODE.TOO_FEW_EPOCHS: OF_STEPS | {CODE.LEARNING_RATE_TOO_LOW, CODE.INITIAL_LOSS},
    CODE.UNDERFITTING: OF_STEPS | {CODE.LEARNING_RATE_TOO_LOW, CODE.DEAD_UNITS, CODE.TOO_FEW_EPOCHS, CODE.PLATEAU},
}
"""What a problem follows from: it is not named beside these."""
OF_TABLE = {CODE.TARGET_LEAKAGE, CODE.CLASS_NEVER_PREDICTED, CODE.FEW_ROWS_DOMINATE, CODE.CONFLICTING_TARGETS}
"""Problems that the scores of held-out rows do not refute."""
OF_LAST_EPOCH = {CODE.OVERFITTING, CODE.PLATEAU, CODE.BATCH_NOISE}
"""Problems that the mean of networks at their best epochs does not have."""


def training_problems(evidence: Evidence, rules: Iterable[Rule] = RULES) -> tuple[TrainingProblem, ...]:
    """What is wrong with a training, at most MAX_FINDINGS, the costliest first."""
    with np.errstate(all="ignore"):
        problems = [problem for rule in rules if (problem := rule(evidence)) is not None]
    config = evidence.config
    if evidence.networks > 1:
        left = OF_TABLE if evidence.predicts_well else {*FindingCode} - OF_LAST_EPOCH
        problems = [problem for problem in problems if problem.code in left]
    codes = {problem.code for problem in problems}
    causes = [p for p in problems if p.is_cause or codes.isdisjoint(CONSEQUENCES.get(p.code, ()))]
    if (swept := _swept(evidence)) is not None:
        best, nearest = swept
        rate = (
            (f"learning_rate.peak={best.rate:.3g}",)
            if max(best.rate / nearest.rate, nearest.rate / best.rate) >= FAR_FROM_BEST
            else ()
        )
        for i, problem in enumerate(causes):
            others = tuple(x for x in problem.assignments if not x.startswith("learning_rate"))
            if others != problem.assignments and problem.code is not CODE.BATCH_NOISE:  # whose batches are larger
                causes[i] = replace(problem, assignments=(*rate, *others))
    causes = [replace(problem, assignments=without_present(config, problem.assignments)) for problem in causes]
    merged: dict[tuple[str, ...], TrainingProblem] = {}
    for problem in sorted(causes, key=lambda problem: -problem.cost):
        same = merged.setdefault(problem.assignments or (problem.code,), problem)
        if same is not problem:
            merged[same.assignments or (same.code,)] = replace(same, message=f"{same.message}; {problem.message}")
    return tuple(merged.values())[:MAX_FINDINGS]
