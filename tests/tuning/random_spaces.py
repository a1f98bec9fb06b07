"""Search spaces at random, most of them valid."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nncli.tuning.space.space import NumberDomain, ParameterValue, SearchSpace

FRACTIONS = {"from": 0.1, "to": 0.9}
STEPS = {"from": 0.0, "to": 0.8, "step": 0.2}
LOG = {"from": 1e-4, "to": 1.0, "scale": "log"}
WHOLE = {"from": 1, "to": 8}
SOME_FRACTIONS = st.sampled_from([0.25, 0.5, FRACTIONS, STEPS, {"choices": [0.1, 0.5]}])
SOME_WHOLE = st.sampled_from([1, 4, WHOLE, {"from": 4, "to": 64, "scale": "log"}, {"choices": [3, 5]}])


def sections(type_: str, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, object]]:
    """Sections of that type with some of the keys."""
    return st.fixed_dictionaries({"type": st.just(type_)}, optional=keys)


LAYER = st.one_of(
    SOME_WHOLE,
    st.sampled_from(["dropout", "batch_norm", {"type": "residual", "layers": [8]}]),
    sections("dropout", rate=SOME_FRACTIONS),
    sections("dense", units=SOME_WHOLE, activation=st.sampled_from(["relu", {"choices": ["tanh", "mish"]}])),
)
OPTIMIZER = st.one_of(
    st.sampled_from(["adam", "sgd", "lion"]),
    sections("sgd", momentum=SOME_FRACTIONS, nesterov=st.sampled_from([False, {"choices": [True, False]}])),
    sections("adamw", weight_decay=SOME_FRACTIONS, beta1=SOME_FRACTIONS),
)
RATE = st.one_of(
    st.sampled_from([0.1, 1, {"type": "cosine", "peak": LOG}, {"type": "coslog", "peak": "auto"}]),
    sections("one_cycle", peak=SOME_FRACTIONS, pct_start=SOME_FRACTIONS),
    sections("constant", peak=SOME_FRACTIONS, warmup_steps=SOME_WHOLE),
)
CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "layers": st.lists(LAYER, max_size=3),
    "layers.0": LAYER,
    "layers.1": LAYER,
    "optimizer": OPTIMIZER,
    "learning_rate": RATE,
    "activation": st.sampled_from(["relu", "tanh", "mish", {"type": "leaky_relu", "slope": FRACTIONS}]),
    "batch_size": st.sampled_from([8, 32, "full"]),
    "early_stopping": st.sampled_from([None, {"patience": 3}, {"min_delta": FRACTIONS}]),
    "numeric_embedding": st.one_of(st.none(), sections("periodic", sigma=SOME_FRACTIONS, frequencies=SOME_WHOLE)),
    "loss": st.sampled_from([None, "mse", "poisson", {"type": "huber", "delta": LOG}]),
    "output_activation": st.sampled_from([None, "softplus", "tanh"]),
    "init": st.sampled_from([None, "he", "lecun", {"type": "he", "distribution": {"choices": ["uniform", "normal"]}}]),
}
"""Choices of keys, most of them valid; some break rules of several keys."""
RANGES: dict[str, object] = {
    "learning_rate": LOG,
    "learning_rate.peak": LOG,
    "layers.0.units": WHOLE,
    "layers.1.rate": STEPS,
    "layers.*.units": WHOLE,
    "layers.*.rate": FRACTIONS,
    "optimizer.momentum": FRACTIONS,
    "optimizer.weight_decay": LOG,
    "early_stopping.patience": WHOLE,
    "numeric_embedding.sigma": LOG,
    "l2": {"from": 0, "to": 10},
    "epochs": WHOLE,
    "batch_size": {"from": 8, "to": 64, "step": 8},
}
INVALID: dict[str, object] = {
    "x": WHOLE,
    "*": WHOLE,
    "seed": WHOLE,
    "epochs": FRACTIONS,
    "activation": WHOLE,
    "layers.9.units": WHOLE,
    "optimizer": {"choices": ["adam", "adam"]},
}
PAIRS = st.one_of(
    *(
        st.tuples(st.just(key), st.lists(values, min_size=1, max_size=3).map(lambda some: {"choices": some}))
        for key, values in CHOICES.items()
    ),
    st.sampled_from([*RANGES.items()]),
    st.sampled_from([*RANGES.items()]),
)
SPACES = st.builds(
    lambda pairs, wrong: dict([*pairs, *wrong]),
    st.lists(PAIRS, max_size=3),
    st.one_of(st.just([]), st.just([]), st.just([]), st.lists(st.sampled_from([*INVALID.items()]), max_size=1)),
)
"""Search spaces as they are written."""


def random_values(space: SearchSpace, data: st.DataObject) -> dict[str, ParameterValue]:
    """Values of all active parameters."""
    values: dict[str, ParameterValue] = {}
    for parameter in space.parameters:
        if not parameter.is_active(values):
            continue
        domain, listed = parameter.domain, parameter.domain.values
        if isinstance(domain, NumberDomain) and listed is None:
            values[parameter.name] = data.draw(st.floats(domain.low, domain.high))
        else:
            values[parameter.name] = data.draw(st.sampled_from(listed or ()))
    return values
