"""`nncli config show`: print all keys of a configuration and the source of each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from nncli.base.scratch import Scratch
from nncli.base.spec import Spec
from nncli.config.loading import NOTHING, LoadedConfig, load
from nncli.config.schema import Config
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as KeyPath
from nncli.config.yaml.writer import dump_with_comments
from nncli.fitting.ensemble.out_of_fold import check_members, chooses_cycles, member_config
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


Values = Mapping[str, object]
DEFAULT = "default"
OTHER_KEYS, TABLE = "from other keys", "from the table"


def provenance(loaded: LoadedConfig, path: KeyPath) -> str:
    """The source of the value at `path`: `config.yaml:12`, `preset tabular`, `NNCLI_EPOCHS`, `--set` or `default`."""
    value: object = loaded.document.value
    for depth, step in enumerate(path):
        inside = _inside(value, step)
        if inside is None:
            expanded = not isinstance(value, dict | list) and _is_expanded(loaded.config, path[:depth], step)
            return _source(loaded.document, path[:depth]) if expanded else DEFAULT
        (value,) = inside
    return _source(loaded.document, path)


def resolved_provenance(loaded: LoadedConfig, plain: Values, later: Values, resolved: Values, path: KeyPath) -> str:
    """As `provenance`, for the values that are `resolved` with a table.

    `plain` has the values as written with all defaults; `later` has those that are known without a table.
    """
    value = _at(resolved, path)
    if value == _at(plain, path):
        return provenance(loaded, path)
    return OTHER_KEYS if value == _at(later, path) else TABLE


def _inside(value: object, step: str | int) -> tuple[object] | None:
    if isinstance(value, dict) and step in value:
        return (value[step],)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return (value[step],)
    return None


def _is_expanded(config: Config, path: KeyPath, key: str | int) -> bool:
    """Whether `key` is set by the short form at `path` rather than by a default."""
    value: object = config
    for step in path:
        value = getattr(value, str(step)) if isinstance(value, Spec) else value[step]  # type: ignore[index]
    return isinstance(value, Spec) and key in value.model_fields_set


def _source(document: Document, path: KeyPath) -> str:
    span = next(
        (document.spans[path[:n]] for n in range(len(path), 0, -1) if path[:n] in document.spans), SourceSpan(DEFAULT)
    )
    if span.key is None:
        return span.setter or span.source
    return f"{Path(span.source).name}:{span.key[0]}"


def _at(values: Values, path: KeyPath) -> object:
    """The value at `path`; `...` if there is none."""
    value: object = values
    for step in path:
        inside = _inside(value, step)
        if inside is None:
            return ...
        (value,) = inside
    return value
