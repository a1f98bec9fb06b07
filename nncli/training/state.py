"""All that changes while a network learns: what a resumed training must find as it was left, to the bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.batches.dataset import Dataset
from nncli.nn.arrays import Array
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from nncli.optim.optimizers import OptimizerBase
from nncli.optim.schedules import PlateauState
from nncli.training.early_stopping import EarlyStopping

StreamState: TypeAlias = dict[str, Any]
"""NumPy's own description of where a random stream stands; plain numbers and words."""

NUMBERS = ("step", "epoch", "position", "first_loss", "epoch_loss", "learning_rate_factor")


@dataclass(frozen=True)
class RandomStreams:
    """One seed, split into streams that never share a draw: whoever draws more from one shifts none of the others.

    Where a batch is worked in parts, `further` are the dropout streams of all but the first.
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
        """With a dropout stream for each of so many parts of a batch."""
        return replace(self, extra_dropout=tuple(self.dropout.spawn(parts - 1)))


@dataclass(frozen=True)
class Snapshot:
    """A state as it was: its vectors by name, copied or not, and the rest as plain values fit for JSON."""

    arrays: dict[str, Array]
    metadata: dict[str, Any]

    def copy(self) -> Snapshot:
        """The same, safe from what the training does next."""
        return Snapshot({name: array.copy() for name, array in self.arrays.items()}, self.metadata)


MOST_ROWS = 8192
MOST_BYTES = 16 << 20
"""Of the rows from which first weights follow, and of one layer's output for them; some ten such are held at once."""


def _some_rows(network: Network, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Which of `count` rows first weights follow from: all, or a random part, in their order."""
    room = MOST_BYTES // (np.dtype(network.precision).itemsize * max(1, network.max_width))
    rows = min(count, MOST_ROWS, max(1, room))
    return np.arange(count) if rows == count else np.sort(rng.choice(count, rows, replace=False))


@dataclass
class TrainState:
    """Where a training stands.

    `parameters` are the present weights, `best` a copy of those of the best epoch; `moments` are the optimizer's;
    `step` counts steps taken in all, `epoch` finished epochs, `position` batches done of the present epoch, and
    `epoch_loss` sums their losses over rows; `first_loss` is the very first batch's. `progress` () is the
    share of all steps that were taken before the present one. `order` is the shuffle stream at the beginning of the
    present epoch, from which its order follows. `learning_rate_factor` shrinks when a diverging training
    goes back; `good` is where to.
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
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    plateau: PlateauState = field(default_factory=PlateauState)
    progress: Array = field(default_factory=lambda: np.zeros(()))
    order: StreamState = field(default_factory=dict)
    last_good: Snapshot | None = None

    @classmethod
    def create(
        cls,
        network: Network,
        optimizer: OptimizerBase,
        streams: RandomStreams,
        parts: int = 1,
        examples: Dataset | None = None,
    ) -> TrainState:
        """The start: weights drawn from the init stream, moments zero. Batches are worked in `parts`.

        What of the weights is to follow from the data does so from the `examples`, those of the training; without
        them, as where a saved state is restored next, it stays as it was drawn.
        """
        parameters = network.initialize(streams.init)
        if examples is not None and network.needs_data_init:
            rows = _some_rows(network, len(examples), streams.init)
            network.init_from_data(parameters, examples.X[rows], examples.codes[rows], streams.init)
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
        """The state as it is now; the vectors are not copied."""
        metadata = {name: getattr(self, name) for name in NUMBERS}
        metadata |= {"early_stopping": asdict(self.early_stopping), "plateau": asdict(self.plateau)}
        metadata |= {"epoch_order": self.order}
        metadata["shuffle"] = self.streams.shuffle.bit_generator.state
        metadata["dropout"] = self.streams.dropout.bit_generator.state
        metadata["extra_dropout"] = [stream.bit_generator.state for stream in self.streams.extra_dropout]
        return Snapshot(self.vectors, metadata)

    def restore(self, snapshot: Snapshot) -> None:
        """Become what `snapshot` describes, in place: the views into the vectors stay valid.

        Raises:
            ValueError, KeyError, TypeError: it is not of a training like this one; the state is then of no more use.
        """
        for name, vector in self.vectors.items():
            saved = snapshot.arrays[name]
            if saved.shape != vector.shape or saved.dtype != vector.dtype:
                raise ValueError(f"{name} has another shape")
            np.copyto(vector, saved)
        metadata = snapshot.metadata
        for name in NUMBERS:
            setattr(self, name, type(getattr(self, name))(metadata[name]))
        self.early_stopping = EarlyStopping(**metadata["early_stopping"])
        self.plateau = PlateauState(**metadata["plateau"])
        self.order = metadata["epoch_order"]
        self.streams.shuffle.bit_generator.state = metadata["shuffle"]
        self.streams.dropout.bit_generator.state = metadata["dropout"]
        for stream, saved in zip(self.streams.extra_dropout, metadata["extra_dropout"], strict=True):
            stream.bit_generator.state = saved
