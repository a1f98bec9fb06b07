"""What a request asks of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from nncli.api.options import OutputColumns
from nncli.base.option import DeclaredOption, Option, declared_options
from nncli.models.conformal.options import UncertaintyOptions


@dataclass(frozen=True, kw_only=True)
class PredictionOptions(UncertaintyOptions, OutputColumns):
    """What a request asks for; requests with equal options are predicted together."""

    explain: Annotated[
        bool,
        Option(
            "Add the effect of each column.",
            http="Adds the effect of each column: how the prediction changes if the column has its typical value "
            "instead. Typical values, such as those of the example, have no effects.",
        ),
    ] = False


PARAMETERS: dict[str, DeclaredOption] = {
    one.name: one for one in declared_options(PredictionOptions) if one.option.http is not None
}
"""The parameters of an address by their names, those of all kinds of models."""
