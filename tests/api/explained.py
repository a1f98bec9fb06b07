"""Models made by hand, and tables for them, whose explanations are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import Column
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.text import TextColumn
from nncli.data.table import Table
from nncli.models.ensemble import Ensemble, EnsembleSpec
from nncli.models.model import Model, ModelSpec
from nncli.nn.arrays import Precision
from nncli.nn.embeddings import Embedding
from nncli.nn.losses import CrossEntropyLoss, Loss, MSELoss, OrdinalLoss
from nncli.nn.network import Network
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.target import Target


def table_of(n: int, seed: int = 1) -> Table:
    """Rows for these columns, some cells of which are missing, and labels."""
    rng = np.random.default_rng(seed)
    x1, x2 = rng.normal(1.0, 2.0, n), rng.normal(size=n)
    frame = pl.DataFrame(
        {
            "x1": [None if i % 7 == 3 else v for i, v in enumerate(x1.tolist())],
            "x2": x2,
            "colour": rng.choice(["blue", "red"], n),
            "city": rng.choice(["a", "b", "c"], n),
            "day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in rng.integers(0, 300, n).tolist()],
            "words": rng.choice(["a red fox", "a blue fox", "nothing"], n),
            "y": 10.0 + x1 * 3.0 + rng.normal(size=n),
            "t": np.where(x1 + rng.normal(size=n) > 1.0, "yes", "no"),
        }
    )
    return Table(frame, "rows")


NUMBER = RegressionTarget(names=("y",), centers=(10.0,), scales=(4.0,))
CLASSES = ClassificationTarget(name="t", labels=("no", "yes"))
X1 = NumericColumn(name="x1", center=1.0, scale=2.0, fill_value=1.0, missing_indicator=True)
X2 = NumericColumn(name="x2", center=0.0, scale=1.0, fill_value=0.0, missing_indicator=False)
COLOR = CategoricalColumn(name="colour", categories=("blue", "red"), has_other=False, has_missing=False)
CITY = CategoricalColumn(name="city", categories=("a", "b", "c"), has_other=False, has_missing=False, embedding_width=2)
DATE = DateColumn.fit(table_of(60), "day")
WORDS = TextColumn.fit(table_of(60), "words", EncodingOptions(max_text_features=8))
COLUMNS: tuple[Column, ...] = (X1, X2, COLOR, CITY)


def model_of(
    *layers: object,
    target: Target = NUMBER,
    loss: Loss | None = None,
    columns: Sequence[Column] = COLUMNS,
    seed: int = 0,
    temperature: float = 1.0,
    precision: Precision = "float64",
) -> Model:
    """A model with weights of its own for every seed."""
    usual: dict[str, Loss] = {"regression": MSELoss(), "classification": CrossEntropyLoss(), "ordinal": OrdinalLoss()}
    encoder, loss = Encoder(columns=tuple(columns)), loss or usual[target.task]
    labels = target.n_outputs
    network = Network.model_validate(
        {
            "n_features": encoder.width,
            "embeddings": [
                Embedding(name=c.name, n_embeddings=c.n_codes, width=c.embedding_width or 1) for c in encoder.embedded
            ],
            "layers": layers,
            "n_outputs": loss.outputs(labels),
            "precision": precision,
            "offset": encoder.offset,
            "numeric_features": encoder.embeddable_positions,
        }
    )
    rng = np.random.default_rng(seed)
    parameters = network.initialize(rng)
    np.add(parameters.theta, rng.normal(0.0, 0.5, parameters.theta.shape), out=parameters.theta)
    spec = ModelSpec(
        encoder=encoder, target=target, network=network, loss=loss, missing_values=("",), temperature=temperature
    )
    return Model(spec, parameters)


def ensemble_of(
    *members: Model,
    temperature: float = 1.0,
    target: Target | None = None,
    weights: tuple[float, ...] | None = None,
) -> Ensemble:
    """Models as one."""
    first = members[0].spec
    spec = EnsembleSpec(
        members=len(members),
        target=target or first.target,
        loss=first.loss,
        missing_values=("", " "),
        temperature=temperature,
        weights=weights,
    )
    return Ensemble(spec, members)
