"""The arguments of a training, which do not change while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array, Backend
from nncli.nn.batches.dataset import Dataset
from nncli.nn.losses import LossBase
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import OptimizerBase
from nncli.nn.optim.schedules import ScheduleBase


@dataclass(frozen=True)
class TrainingArguments:
    """The arguments of a training, which do not change while it runs.

    `monitor` names the value by which the best epoch is chosen: `loss`, `val_loss` or `val_` and a metric's name; with
    `last_on_tie` the last of equally good epochs is the best. With `rollback_on_divergence` a diverging training goes
    back to the end of the last good epoch with half the learning rate. A batch is computed in `n_shards` shards. After
    `snapshot_epochs` the weights are kept, for a choice among them after the training.

    The rest is for error messages: the names of the columns of X and of y, whether they are scaled, the column of
    sample weights, and each row's number in its table (from 1; None if all rows are there, in order).
    """

    network: Network
    loss: LossBase
    optimizer: OptimizerBase
    schedule: ScheduleBase
    batch_size: int
    epochs: int
    l1: float = 0.0
    l2: float = 0.0
    clip_norm: float | None = None
    monitor: str = "loss"
    last_on_tie: bool = False
    patience: int | None = None
    min_delta: float = 0.0
    snapshot_epochs: tuple[int, ...] = ()
    rollback_on_divergence: bool = False
    backend: Backend = "numpy"
    n_shards: int = 1
    features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    scaled: bool = False
    target_scaled: bool = False
    weight: str | None = None
    rows: npt.NDArray[np.int64] | None = None

    @property
    def cross_fits(self) -> bool:
        """Whether the validation rows choose the epoch during the training, so that their outputs are cross-fitted."""
        return self.monitor != "loss" and not self.snapshot_epochs

    def row(self, i: int) -> int:
        """The number in its table of the row at position i."""
        return i + 1 if self.rows is None else int(self.rows[i])


class OutputScore(Protocol):
    """A metric of raw outputs Z, of all validation rows or of those at the positions `rows`."""

    def __call__(self, Z: Array, rows: npt.NDArray[np.int64] | None = None) -> float: ...


@dataclass(frozen=True)
class ValidationSet:
    """Validation rows, and the metric shown for them: `score(Z)` of the raw outputs (rows, outputs).

    `score(Z, rows)` is the metric of the rows at some positions, with their raw outputs.
    """

    dataset: Dataset
    metric: str
    higher_is_better: bool
    score: OutputScore
