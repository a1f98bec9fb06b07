"""Compare the program of a model with its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from nncli.base import plugins
from nncli.data.table import Table
from nncli.exporters.formats import ExportFormat
from nncli.exporters.lowering import lower_model
from nncli.exporters.read_inputs import read_inputs
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import AnyModel
from nncli.nn.program.program import Role, run_nodes

Floats = npt.NDArray[np.float64]
EXPORT_FORMATS: tuple[ExportFormat, ...] = tuple(plugins.load_integrations("exports").values())


@dataclass(frozen=True)
class Computed:
    """What a program computes: numbers or probabilities, codes of classes, quantiles, and bounds of each level."""

    values: Floats
    codes: Floats | None = None
    quantiles: Floats | None = None
    bounds: tuple[tuple[Floats, Floats], ...] = ()
    standard_deviations: Floats | None = None


def compute(model: AnyModel, table: Table, conformal: ConformalPredictor | None = None) -> Computed:
    """The outputs of the program of a model for a table."""
    program = lower_model(model, conformal)
    values = run_nodes(program, read_inputs(program, table))
    nodes = {role: [*dict.fromkeys(c.node for c in program.outputs if c.role == role)] for role in get_args(Role)}

    def computed(role: Role) -> Floats | None:
        return values[nodes[role][0]] if nodes[role] else None

    codes, shares = computed("class"), computed("value") if nodes["value"] else computed("probability")
    assert shares is not None
    bounds = tuple((values[low], values[high]) for low, high in zip(nodes["lower"], nodes["upper"], strict=True))
    return Computed(shares, None if codes is None else codes[:, 0], computed("quantile"), bounds, computed("sd"))


def assert_equal_predictions(model: AnyModel, table: Table) -> None:
    """Assert that the program of a model, in float64 like the model, gives its predictions but for rounding."""
    computed, predicted = compute(model, table), model.predict(table)
    np.testing.assert_allclose(computed.values, predicted.values, rtol=1e-12, atol=1e-14)
    if computed.codes is not None:
        assert computed.codes.tolist() == predicted.classes.tolist()
    if predicted.quantiles is not None:
        assert computed.quantiles is not None
        wanted = predicted.quantiles.reshape(len(table), -1)
        np.testing.assert_allclose(computed.quantiles, wanted, rtol=1e-12)
    if predicted.standard_deviations is None:
        assert computed.standard_deviations is None
    else:
        assert computed.standard_deviations is not None
        np.testing.assert_allclose(computed.standard_deviations, predicted.standard_deviations, rtol=1e-12)
