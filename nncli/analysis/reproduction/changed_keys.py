"""The keys of config.yaml that were changed after a training, as far as the run tells.

A run records a digest of its configuration, the seed and the number of members; the members of an ensemble have
configurations of their own. A key is named where its recorded or its default value leads to the recorded digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nncli.analysis.reproduction.run_record import RunRecord
from nncli.config.schema import Config
from nncli.fitting.train.provenance import RESUMABLE_KEYS, is_config_recorded
from nncli.runs.config import read_config
from nncli.runs.manifest import CONFIG

OTHERS = "others"
"""Stands for changed keys whose recorded values are not known."""


def changed_keys(recorded: RunRecord, config: Config) -> tuple[str, ...]:
    """The keys of a changed configuration: seed, members, and one more; empty if none is known."""
    manifest, restored = recorded.manifest, dict[str, Any]()
    if config.seed != manifest.seed:
        restored["seed"] = manifest.seed
    if config.n_members != manifest.members:
        restored["members"] = manifest.members
    if is_config_recorded(config.model_copy(update=restored), manifest):
        return tuple(restored)
    for key, value in _earlier_values(recorded):
        values = {**restored, key: value}
        if is_config_recorded(config.model_copy(update=values), manifest):
            return tuple(values)
    return (*restored, OTHERS) if restored else ()


def _earlier_values(recorded: RunRecord) -> Iterator[tuple[str, Any]]:
    """Keys with values that they may have had: the default, and that of the first member of an ensemble."""
    member = _first_member(recorded)
    for key, field in Config.model_fields.items():
        if key not in RESUMABLE_KEYS:
            if not field.is_required():
                yield key, field.get_default(call_default_factory=True)
            if member is not None:
                yield key, getattr(member, key)


def _first_member(recorded: RunRecord) -> Config | None:
    """The configuration of the first member of an ensemble; None if its file was changed too."""
    first = recorded.networks[0]
    if recorded.is_ensemble and recorded.checksum(first.file(CONFIG)) == first.manifest.files.get(CONFIG):
        return read_config(recorded.path / first.folder)
    return None
