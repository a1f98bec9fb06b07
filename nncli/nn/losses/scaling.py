"""How the targets of a loss are scaled for the training: by their spread, by their mean, or not at all."""

from __future__ import annotations

from math import inf
from typing import Literal, TypeAlias

from nncli.base.bounds import LARGEST
from nncli.base.errors import config_error

TargetScaling: TypeAlias = Literal["standard", "mean", "none"]
LossScaling: TypeAlias = Literal["auto", "standard", "mean", "none"]
"""A scaling as the configuration has it."""


class Scaling:
    """The scaling of a loss of numbers: any that is configured, else the standard one.

    An output activation has a range of its own, so that targets are not scaled.
    """

    def resolved(self, loss: str, configured: LossScaling, *, has_activation: bool) -> TargetScaling:
        """The scaling of the targets of the `loss` of this name.

        Raises:
            ConfigError: the loss does not take the configured one, or no output activation.
        """
        if configured != "auto":
            return configured
        return "none" if has_activation else "standard"

    def clips(self, configured: bool) -> bool:
        """Whether predictions are clipped to the range of the training rows."""
        return configured

    def can_be_standard(self, *, has_activation: bool) -> bool:
        """Whether targets of another size can be standardized instead."""
        return not has_activation

    def is_left_out(self, configured: LossScaling) -> bool:
        """Whether the configuration leaves targets unscaled that could be scaled."""
        return configured == "none"

    @property
    def largest(self) -> float:
        """The largest target."""
        return inf


class NoScaling(Scaling):
    """The scaling of a loss of classes, labels or times: none, whatever is configured."""

    def resolved(self, loss: str, configured: LossScaling, *, has_activation: bool) -> TargetScaling:
        return "none"

    def clips(self, configured: bool) -> bool:
        return False

    def is_left_out(self, configured: LossScaling) -> bool:
        return False


class LogLinkScaling(Scaling):
    """The scaling of a loss with a log link: none, or by the mean, as 0 has a meaning."""

    def __init__(self, usual: TargetScaling) -> None:
        self.usual = usual

    def resolved(self, loss: str, configured: LossScaling, *, has_activation: bool) -> TargetScaling:
        if configured not in ("auto", "none", self.usual):
            raise config_error("encoding.target", f"{loss} needs the unscaled target", "Use none, or auto.")
        return self.usual if configured == "auto" else configured

    def can_be_standard(self, *, has_activation: bool) -> bool:
        return False

    def is_left_out(self, configured: LossScaling) -> bool:
        return False

    @property
    def largest(self) -> float:
        return LARGEST if self.usual == "none" else inf


class DistributionScaling(Scaling):
    """The scaling of a loss of distributions: the standard one. They have no range, so that nothing is clipped."""

    def resolved(self, loss: str, configured: LossScaling, *, has_activation: bool) -> TargetScaling:
        needs = f"the loss {loss} learns its scale in standard deviations of the target"
        if has_activation:
            raise config_error("output_activation", needs, "Remove it.")
        if configured not in ("auto", "standard"):
            raise config_error("encoding.target", needs, "Use standard, or auto.")
        return "standard"

    def clips(self, configured: bool) -> bool:
        return False
