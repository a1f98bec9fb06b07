"""Building the network, and the arguments of its training, from a configuration whose `auto` values are resolved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nncli.base.errors import config_error
from nncli.config.schema import Config
from nncli.data.encoders.encoder import Encoder
from nncli.fitting.prepare.auto_values import batch_rows, epochs_of, schedule_of
from nncli.models.model import ModelSpec
from nncli.nn.embeddings import Embedding
from nncli.nn.losses import Loss
from nncli.nn.network import Network
from nncli.nn.training.arguments import TrainingArguments
from nncli.targets.target import Target

MAX_PARAMETERS = 1_000_000_000_000
"""More are a typing error: no machine holds them."""


def build_network(config: Config, encoder: Encoder, target: Target, loss: Loss) -> Network:
    """Build the network between the encoder and the loss.

    Raises:
        ConfigError: a layer does not fit the one before it, or the network is too large.
    """
    network = Network(
        n_features=encoder.width,
        embeddings=tuple(
            Embedding(
                name=c.name, n_embeddings=c.n_codes, width=c.embedding_width or 0, init_std=config.embedding_init_std
            )
            for c in encoder.embedded
        ),
        layers=config.hidden_layers,
        n_outputs=loss.outputs(target.n_outputs),
        output_activation=config.output_activation,
        precision=config.precision,
        numeric_features=encoder.numeric,
        numeric_embedding=config.numeric_embedding,
        output_init=config.init,
        output_parametrization=config.parametrization,
    )
    try:
        size = network.layout.size
    except ValueError as error:
        layer, _, message = str(error).partition(": ")
        raise config_error(layer, message, "Change the units, or add a dense layer.") from error
    if size > MAX_PARAMETERS:
        raise config_error("layers", f"the network would have {size:.3g} parameters", "Use fewer units.")
    return network


def build_arguments(
    config: Config,
    spec: ModelSpec,
    n_rows: int,
    monitor: str,
    row_numbers: npt.NDArray[np.int64] | None,
    *,
    snapshots: bool = False,
) -> TrainingArguments:
    """The arguments of a training on `n_rows` rows, whose numbers in their table are `row_numbers` (None: all rows).

    With `snapshots` the weights after some epochs are kept.
    """
    stopping, target = config.early_stopping, spec.target
    schedule, epochs = schedule_of(config, spec.loss, n_rows), epochs_of(config, n_rows)
    return TrainingArguments(
        network=spec.network,
        loss=spec.loss,
        optimizer=config.optimizer,
        schedule=schedule,
        batch_size=batch_rows(config, n_rows),
        epochs=epochs,
        snapshot_epochs=schedule.snapshot_epochs(epochs) if snapshots else (),
        l1=config.l1,
        l2=config.l2,
        clip_norm=config.clip_norm,
        monitor=monitor,
        last_on_tie=config.best_epoch_tie == "last",
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        rollback_on_divergence=config.on_divergence == "halve_learning_rate",
        features=spec.encoder.features,
        targets=target.names,
        scaled=config.encoding.numeric != "none",
        target_scaled=config.encoding.target != "none",
        weight=config.data.sample_weight,
        rows=row_numbers,
    )
