"""All that changes while a network learns: what a resumed training must find as it was left."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nncli.nn.arrays import Array
from nncli.nn.network import Network
from nncli.nn.optimizers import OptimizerBase
from nncli.nn.parameters import Parameters
from nncli.nn.schedules import Plateau
from nncli.training.stopping import Watch


@dataclass(frozen=True)
class Streams:
    """One seed, split into streams that never share a draw: whoever draws more from one shifts none of the others."""

    split: np.random.Generator
    init: np.random.Generator
    shuffle: np.random.Generator
    dropout: np.random.Generator

    @classmethod
    def of(cls, seed: int) -> Streams:
        """The four streams of a seed."""
        split, init, shuffle, dropout = np.random.SeedSequence(seed).spawn(4)
        return cls(*(np.random.default_rng(s) for s in (split, init, shuffle, dropout)))


@dataclass
class State:
    """Where a training stands.

    `parameters` are the present weights, `best` a copy of those of the best epoch; `moments` are the optimizer's;
    `step` counts steps taken in all and `epoch` finished epochs.
    """

    parameters: Parameters
    best: Parameters
    moments: dict[str, Array]
    streams: Streams
    step: int = 0
    epoch: int = 0
    watch: Watch = field(default_factory=Watch)
    plateau: Plateau = field(default_factory=Plateau)

    @classmethod
    def fresh(cls, network: Network, optimizer: OptimizerBase, streams: Streams) -> State:
        """The start: weights drawn from the init stream, moments zero."""
        parameters = network.initialise(streams.init)
        best = network.layout.empty(network.precision)
        best.copy_from(parameters)
        return cls(parameters, best, optimizer.initial_moments(parameters.theta), streams)
