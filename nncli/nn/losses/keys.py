"""The keys of a configuration that few losses take, and why others do not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nncli.base.errors import Advice, SetKey, config_error
from nncli.base.text import join_quoted
from nncli.nn.losses.base import LossBase
from nncli.nn.losses.regression import AMOUNT_LOSSES

REFUSALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "data.exposure": (
            "has no log link, so it takes no exposure",
            f"Use one of the losses {join_quoted(AMOUNT_LOSSES)}.",
        ),
        "data.order": (
            "has no use for the order of classes",
            Advice("Use ", SetKey("loss", "ordinal"), ", or remove the key."),
        ),
    }
)


def check_keys(loss: LossBase, name: str, given: Mapping[str, object]) -> None:
    """Raise a ConfigError if a loss of this name does not take a `given` key, or lacks one of its own."""
    for key, (why, hint) in REFUSALS.items():
        if given[key] is not None and key not in loss.keys:
            raise config_error(key, f"the loss {name} {why}", hint)
    if loss.missing_key is not None:
        raise config_error("loss", *loss.missing_key)
