"""What the features of the table decide about a search: which keys have an effect, and what `auto` stands for."""

from __future__ import annotations

from dataclasses import dataclass

from nncli.config.schema import Config
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import MAX_EMBEDDED, WEIGHT_DECAY
from nncli.fitting.prepare.fit import fit_features
from nncli.targets.target import TargetKind
from nncli.tuning.space.keys import Key


@dataclass(frozen=True)
class TableFeatures:
    """The numbers of columns of categories, of numeric inputs and of all inputs, and the task of the target."""

    categorical: int
    numeric: int
    width: int
    kind: TargetKind

    @classmethod
    def of(cls, config: Config, table: ColumnStore, kind: TargetKind) -> TableFeatures:
        """Those of the features that `config` chooses.

        Raises:
            ConfigError, DataError: a column does not fit its kind, or there is no feature.
        """
        encoder = fit_features(config, table).encoder
        categorical = sum(isinstance(column, CategoricalColumn) for column in encoder.columns)
        return cls(categorical, len(encoder.numeric), encoder.width, kind)

    def has_effect(self, key: Key) -> bool:
        """Whether a key changes the network on this table; not if it is about columns that there are none of."""
        if key[:2] == ("encoding", "categories"):
            return self.categorical > 0
        return key[0] != "numeric_embedding" or self.numeric > 0

    def resolved(self, config: Config) -> Config:
        """The configuration with numbers in place of `auto` where it stands for the same one in every training.

        These are the peak of the learning rate, and the weight decay unless there are many inputs, of which each fold
        may have other ones. The configuration trains the same network.
        """
        optimizer = config.optimizer
        if self.width <= MAX_EMBEDDED:
            optimizer = optimizer.with_auto_weight_decay(WEIGHT_DECAY)
        schedule = config.schedule.with_auto_peak(self.kind.peak_learning_rate)
        return config.model_copy(update={"learning_rate": schedule, "optimizer": optimizer})
