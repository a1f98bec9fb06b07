"""The search space if none is written: one for the preset tabular, and one for other networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import Field

from nncli.base.errors import Advice, ConfigError, UsageError, UseOption
from nncli.base.spec import Spec, non_defaults
from nncli.config.errors.messages import validate
from nncli.config.loading import TABULAR, TEXTBOOK, LoadedConfig, load_document
from nncli.config.schema import Config
from nncli.config.schema.tune import Domain, TuneSection
from nncli.config.yaml.document import Document
from nncli.config.yaml.parser import parse
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import MAX_EMBEDDED, WEIGHT_DECAY
from nncli.fitting.prepare.fit import fit_features
from nncli.nn.optim.schedules import ConstantRate
from nncli.targets.target import TargetKind
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.space import Key, expand, is_inside, key_of

SPACES = Path(__file__).with_name("spaces")


class DefaultSpace(Spec):
    """A file of a search space: keys for every task, those for one of them, and those for a schedule in their place."""

    always: dict[str, Domain] = Field({})
    classification: dict[str, Domain] = Field({})
    regression: dict[str, Domain] = Field({})
    coslog: dict[str, Domain] = Field({})
    flat_cosine: dict[str, Domain] = Field({})
    one_cycle: dict[str, Domain] = Field({})


def with_default_space(
    loaded: LoadedConfig, section: TuneSection, features: TableFeatures
) -> tuple[LoadedConfig, TuneSection]:
    """The section with the search space for the preset and the table, and its text in the document.

    Keys are left out that the configuration does not have, those that would replace what the user wrote, and those
    without an effect on the table.

    Raises:
        UsageError: there is none left.
    """
    name = TABULAR if loaded.preset == TABULAR or _is_tabular(loaded) else TEXTBOOK
    space, written = default_space(name)
    search: dict[str, Domain] = {}
    parts = ("always", features.kind.task_name(), loaded.config.schedule.type)
    for key, domain in {key: domain for part in parts for key, domain in getattr(space, part, {}).items()}.items():
        if not any(is_inside(key_of(key), key_of(other)) for other in search):
            alone = _with_search(loaded, section, {key: domain}, written, parts)
            is_wanted = features.has_effect(key_of(key)) and not _is_kept(loaded, key_of(key), name)
            search |= {key: domain} if is_wanted and _fits(*alone, key_of(key)) else {}
    if not search:
        raise UsageError(
            "there is nothing to search",
            hint=Advice("Write tune.search, or use ", UseOption("search", "search", "KEY=FROM..TO"), "."),
        )
    return _with_search(loaded, section, search, written, parts)


def default_space(name: str) -> tuple[DefaultSpace, Document]:
    """The space for a preset that ships, and its text."""
    file = SPACES / f"{name}.yaml"
    document = parse(file.read_text(encoding="utf-8"), f"search space {name}")
    return validate(DefaultSpace, document), document


def _is_tabular(loaded: LoadedConfig) -> bool:
    """Whether a configuration without a preset is like the preset tabular, as that of a run is."""
    return loaded.config.parametrization == _preset().parametrization


def _with_search(
    loaded: LoadedConfig, section: TuneSection, search: dict[str, Domain], written: Document, parts: Sequence[str]
) -> tuple[LoadedConfig, TuneSection]:
    """The section with these keys, whose text is in the last of the parts of the file that has them."""
    spans = dict(loaded.document.spans)
    for part in parts:
        spans |= {("tune", "search", *path[1:]): span for path, span in written.spans.items() if path[0] == part}
    lines = {**loaded.document.other_lines, written.source: written.lines}
    document = replace(loaded.document, spans=MappingProxyType(spans), other_lines=lines)
    section = section.model_copy(update={"search": search})
    return replace(loaded, document=document, tune=section), section


def _fits(loaded: LoadedConfig, section: TuneSection, key: Key) -> bool:
    """Whether the configuration has the only key of the section, and every value of it is valid."""
    if not expand(key, loaded.config):
        return False
    try:
        build_space(loaded, section)
    except ConfigError:
        return False
    return True


def _is_kept(loaded: LoadedConfig, key: Key, preset: str) -> bool:
    """Whether the value of a key has keys that the user has set, so that it is not replaced as a whole.

    Nor is an embedding whose columns are monotone, as most others are not.
    """
    if len(key) > 1:
        return False
    if key == ("numeric_embedding",) and loaded.config.monotone:
        return True
    value = getattr(loaded.config, key[0])
    if preset == TABULAR and value == getattr(_preset(), key[0]):
        return False
    if isinstance(value, tuple):
        return any(non_defaults(layer).keys() != {"type", "units"} for layer in value)
    short = {"type", "peak"} if isinstance(value, ConstantRate) else {"type"}
    return isinstance(value, Spec) and non_defaults(value).keys() != short


@cache
def _preset() -> Config:
    """The preset tabular."""
    document = parse(f"preset: {TABULAR}\ndata: {{path: table.csv, target: y}}", "")
    return load_document(document, (), folder=Path(), name="").config


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
        encoder = fit_features(config, table, table).encoder
        categorical = sum(isinstance(column, CategoricalColumn) for column in encoder.columns)
        return cls(categorical, len(encoder.embeddable_positions), encoder.width, kind)

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
