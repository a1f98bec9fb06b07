"""A head: a fitted target with the loss that it is learned by, as the rooms above `targets` know it.

It is composed of parts, which know arrays, Polars series and words, and nothing of files, pictures or HTTP. A room
calls a part; it never asks of which kind a target or a loss is. Where a kind has nothing to give, a part returns
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nncli.nn.losses import Loss
from nncli.targets.explained import Explained
from nncli.targets.monitoring import Monitoring
from nncli.targets.views import Views
from nncli.targets.wording import Wording

if TYPE_CHECKING:
    from nncli.targets.conformal import ConformalMethod
    from nncli.targets.scoring import Scoring
    from nncli.targets.target_base import TargetBase


@dataclass(frozen=True)
class Head:
    """The parts of a target and its loss. It is derived from them, and never stored."""

    target: TargetBase
    loss: Loss
    scoring: Scoring
    explained: Explained
    monitoring: Monitoring
    wording: Wording
    views: Views

    @property
    def uncertainty(self) -> ConformalMethod | None:
        """What `--interval` or `--prediction-set` asks for; None where neither is given. It is imported when asked."""
        return self.target.uncertainty()
