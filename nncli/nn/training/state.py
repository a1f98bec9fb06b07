"""The state of a training: everything that changes while it runs, and that a resumed training continues from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array
from nncli.nn.batches.dataset import Dataset
from nncli.nn.losses import LossBase
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import OptimizerBase
from nncli.nn.optim.schedules import PlateauState
from nncli.nn.parameters import Parameters
from nncli.nn.training.early_stopping import BestEpoch, CrossFit

StreamState: TypeAlias = dict[str, Any]
"""The state of a NumPy bit generator, as plain values."""

CROSS_FIT = "cross_fit.Z"
"""The name of the array of `CrossFit` in a snapshot."""

NUMBERS = ("step", "epoch", "position", "first_loss", "epoch_loss", "learning_rate_factor")


@dataclass(frozen=True)
class RandomStreams:
    """Independent random streams from one seed: drawing from one does not affect the others.

    If a batch is computed in shards, `extra_dropout` are the dropout streams of all shards but the first.
    """

    split: np.random.Generator
    init: np.random.Generator
    shuffle: np.random.Generator
    dropout: np.random.Generator
    extra_dropout: tuple[np.random.Generator, ...] = ()

    @classmethod
    def of(cls, seed: int) -> RandomStreams:
        """The four streams of a seed."""
        split, init, shuffle, dropout = np.random.SeedSequence(seed).spawn(4)
        rng = np.random.default_rng
        return cls(rng(split), rng(init), rng(shuffle), rng(dropout))

    def in_parts(self, parts: int) -> RandomStreams:
        """The streams with a dropout stream for each shard of a batch."""
        return replace(self, extra_dropout=tuple(self.dropout.spawn(parts - 1)))


@dataclass(frozen=True)
class Snapshot:
    """A saved state: its vectors by name, copied or not, and the rest as plain JSON values."""

    arrays: dict[str, Array]
    metadata: dict[str, Any]

    def copy(self) -> Snapshot:
        """A snapshot with copies of the vectors, which the training does not change."""
        return Snapshot({name: array.copy() for name, array in self.arrays.items()}, self.metadata)


MAX_INIT_ROWS = 8192
MAX_INIT_BYTES = 16 << 20
"""Limits of the rows for data-dependent initialization, and of one layer's output; about ten are held at once."""


def _init_rows(network: Network, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The positions of the rows for data-dependent initialization: all, or a random sample in ascending order."""
    room = MAX_INIT_BYTES // (np.dtype(network.precision).itemsize * max(1, network.max_width))
    rows = min(count, MAX_INIT_ROWS, max(1, room))
    return np.arange(count) if rows == count else np.sort(rng.choice(count, rows, replace=False))


@dataclass
class TrainState:
    """The state of a training.

    `parameters` are the current weights, `best` a copy of those of the best epoch; `moments` is the optimizer's state.
    `step` counts all steps, `epoch` finished epochs, `position` finished batches of the current epoch, and `epoch_loss`
    sums their losses over rows; `first_loss` is that of the very first batch. `progress` () is the fraction of all
    steps that were taken before the current one. `order` is the state of the shuffle stream at the start of the current
    epoch, which determines the order of its rows. `learning_rate_factor` is halved if a diverging training goes back to
    `last_good`. `cross_fit` is None before the first epoch, without validation rows, or if they choose nothing.
    """

    parameters: Parameters
    best: Parameters
    moments: dict[str, Array]
    streams: RandomStreams
    step: int = 0
    epoch: int = 0
    position: int = 0
    first_loss: float = 0.0
    epoch_loss: float = 0.0
    learning_rate_factor: float = 1.0
    early_stopping: BestEpoch = field(default_factory=BestEpoch)
    plateau: PlateauState = field(default_factory=PlateauState)
    progress: Array = field(default_factory=lambda: np.zeros(()))
    order: StreamState = field(default_factory=dict)
    last_good: Snapshot | None = None
    cross_fit: CrossFit | None = None

    @classmethod
    def create(
        cls,
        network: Network,
        optimizer: OptimizerBase,
        streams: RandomStreams,
        parts: int = 1,
        dataset: Dataset | None = None,
        loss: LossBase | None = None,
    ) -> TrainState:
        """The initial state: weights drawn from the init stream, moments zero, and `parts` shards per batch.

        Data-dependent initialization uses the training rows, `dataset`, and their `loss`; without them, as before a
        saved state is restored, it is left out.
        """
        parameters = network.initialize(streams.init)
        if dataset is not None and network.needs_data_init:
            rows = _init_rows(network, len(dataset), streams.init)
            y = dataset.y[rows] if loss is None else loss.split_targets(dataset.y[rows])
            network.init_from_data(parameters, dataset.X[rows], dataset.codes[rows], streams.init, y)
        if dataset is not None and loss is not None:
            offset = dataset.X[:, network.offset] if network.offset is not None else None
            is_needed = network.starts_constant or offset is not None
            first = loss.first_outputs(dataset.y, dataset.row_counts, offset, is_needed=is_needed)
            if first is not None:
                parameters.by_name["output.bias"][...] += first
        best = network.layout.empty(network.precision)
        best.copy_from(parameters)
        return cls(parameters, best, optimizer.init_state(parameters.theta), streams.in_parts(parts))

    @property
    def vectors(self) -> dict[str, Array]:
        """Every vector of the state, by name."""
        return {
            "theta": self.parameters.theta,
            "statistics": self.parameters.statistics,
            "best.theta": self.best.theta,
            "best.statistics": self.best.statistics,
            **{f"moments.{name}": moment for name, moment in self.moments.items()},
        }

    def snapshot(self) -> Snapshot:
        """The current state; the vectors are not copied."""
        metadata = {name: getattr(self, name) for name in NUMBERS}
        metadata |= {"early_stopping": asdict(self.early_stopping), "plateau": asdict(self.plateau)}
        metadata |= {"epoch_order": self.order}
        metadata["shuffle"] = self.streams.shuffle.bit_generator.state
        metadata["dropout"] = self.streams.dropout.bit_generator.state
        metadata["extra_dropout"] = [stream.bit_generator.state for stream in self.streams.extra_dropout]
        if self.cross_fit is None:
            return Snapshot(self.vectors, metadata)
        metadata["cross_fit"] = [asdict(choice) for choice in self.cross_fit.choices]
        return Snapshot({**self.vectors, CROSS_FIT: self.cross_fit.Z}, metadata)

    def restore(self, snapshot: Snapshot) -> None:
        """Restore `snapshot` in place: views into the vectors stay valid.

        Raises:
            ValueError, KeyError, TypeError: it does not fit this training; the state is then undefined.
        """
        for name, vector in self.vectors.items():
            saved = snapshot.arrays[name]
            if saved.shape != vector.shape or saved.dtype != vector.dtype:
                raise ValueError(f"{name} has another shape")
            np.copyto(vector, saved)
        metadata = snapshot.metadata
        for name in NUMBERS:
            setattr(self, name, type(getattr(self, name))(metadata[name]))
        self.early_stopping = BestEpoch(**metadata["early_stopping"])
        self.plateau = PlateauState(**metadata["plateau"])
        self.order = metadata["epoch_order"]
        self.streams.shuffle.bit_generator.state = metadata["shuffle"]
        self.streams.dropout.bit_generator.state = metadata["dropout"]
        for stream, saved in zip(self.streams.extra_dropout, metadata["extra_dropout"], strict=True):
            stream.bit_generator.state = saved
        self.cross_fit = None  # absent before the first epoch, and in checkpoints of older versions
        if CROSS_FIT in snapshot.arrays:
            choices = [BestEpoch(**choice) for choice in metadata["cross_fit"]]
            self.cross_fit = CrossFit(snapshot.arrays[CROSS_FIT].copy(), choices)
