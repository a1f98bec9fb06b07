"""`nncli config show`: a configuration written out, with where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from nncli.config.loading import NOTHING, load
from nncli.config.provenance import provenance, resolved_provenance
from nncli.config.schema import Config
from nncli.config.yaml.writer import dump_with_comments
from nncli.data.store.scratch import Scratch
from nncli.pipeline.ensemble.member_config import check_members, member_config
from nncli.pipeline.prepare.prepare import prepare

SETTLED = ("data", "encoding", "layers", "numeric_embedding", "loss", "learning_rate", "batch_size", "epochs")
"""The keys in which the table has a say."""
NOT_SHOWN = {"preset", "quality"}
"""Once a preset has been laid beneath the rest, these are null."""


def show(
    path: str | Path,
    *,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] = NOTHING,
    resolved: bool = False,
) -> str:
    """The configuration as YAML that trains the same, a comment behind each value saying where it comes from.

    With `resolved` the table is read, and what it decides is decided; of an ensemble, as for its first member.

    Raises:
        ConfigError: the configuration is wrong, or does not fit the table.
        DataError: the table cannot be read.
    """
    loaded = load(path, assignments, environment)
    plain = loaded.config
    if not resolved:
        return dump_with_comments(_written(plain), partial(provenance, loaded))
    later = plain.model_copy(update={"layers": plain.hidden_layers, "learning_rate": plain.schedule})
    shown = _written(settled(plain))
    return dump_with_comments(shown, partial(resolved_provenance, loaded, _written(plain), _written(later), shown))


def _written(config: Config) -> dict[str, object]:
    return config.model_dump(mode="json", exclude=NOT_SHOWN)


def settled(config: Config) -> Config:
    """The configuration with what a training settles once it has read the table."""
    one = config
    if config.members > 1:
        check_members(config)
        one = member_config(config, 0, Path(), 1)
    with Scratch() as scratch:
        found = prepare(one, scratch).config
    update = {key: getattr(found, key) for key in SETTLED}
    if config.members == 1:
        update["calibration"] = found.calibration
    return config.model_copy(update=update)
