"""`nncli config show`: print all keys of a configuration and the source of each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from nncli.base.scratch import Scratch
from nncli.config.loading import NOTHING, load
from nncli.config.provenance import provenance, resolved_provenance
from nncli.config.schema import Config
from nncli.config.yaml.writer import dump_with_comments
from nncli.fitting.ensemble.member_config import check_members, chooses_cycles, member_config
from nncli.fitting.prepare.auto_values import resolve_members
from nncli.fitting.prepare.load import load_labeled_rows, table_copies
from nncli.fitting.prepare.prepare import prepare

RESOLVED_KEYS = (
    *("data", "encoding", "layers", "numeric_embedding", "loss", "optimizer", "learning_rate", "batch_size", "epochs"),
)
"""The keys that depend on the table."""
NOT_SHOWN = {"preset", "quality"}
"""These are null once the preset has been applied."""


def show(
    path: str | Path,
    *,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] = NOTHING,
    resolved: bool = False,
) -> str:
    """The configuration as YAML with all keys; a comment on each value names its source.

    With `resolved`, the values that depend on the table are filled in; for an ensemble, those of its first member.

    Raises:
        ConfigError: the configuration is invalid, or does not match the table.
        DataError: the table cannot be read.
    """
    loaded = load(path, assignments, environment)
    plain = loaded.config
    section = {} if loaded.tune is None else {"tune": loaded.tune.model_dump(mode="json", by_alias=True)}
    if not resolved:
        return dump_with_comments(_written(plain) | section, partial(provenance, loaded))
    defaults = plain.model_copy(update={"layers": plain.hidden_layers, "learning_rate": plain.schedule})
    first, later, shown = (_written(config) | section for config in (plain, defaults, resolve(plain)))
    return dump_with_comments(shown, partial(resolved_provenance, loaded, first, later, shown))


def _written(config: Config) -> dict[str, object]:
    return config.model_dump(mode="json", exclude=NOT_SHOWN)


def resolve(config: Config) -> Config:
    """The configuration with the values that a training determines from the table."""
    with table_copies(config), Scratch() as scratch:
        if config.is_ensemble:
            check_members(config)
        if config.members == "auto":
            config = resolve_members(config, len(load_labeled_rows(config, config.data, scratch)))
        member = member_config(config, 0, Path(), 1) if config.is_ensemble else config
        resolved = prepare(member, scratch).config
    update = {key: getattr(resolved, key) for key in RESOLVED_KEYS}
    if chooses_cycles(config):  # during the training
        del update["epochs"]
    if not config.is_ensemble:
        update["calibration"] = resolved.calibration
    return config.model_copy(update=update)
