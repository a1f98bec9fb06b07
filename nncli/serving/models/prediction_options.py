"""What a request asks of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from nncli.models.conformal.options import UncertaintyOptions


@dataclass(frozen=True)
class PredictionOptions:
    """What a request asks for; requests with equal options are predicted together."""

    proba: bool = False
    explain: bool = False
    uncertainty: UncertaintyOptions = field(default_factory=UncertaintyOptions)
