"""The source of each value of a configuration: the file, a preset, a variable, an option, or the default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nncli.base.spec import Spec
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as KeyPath

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
