"""Where each value of a configuration comes from: the file, a preset, a variable, an option, or its default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as Keys
from nncli.spec import Spec

Values = Mapping[str, object]
DEFAULT = "default"
OTHER_KEYS, TABLE = "from other keys", "from the table"


def provenance(loaded: LoadedConfig, path: Keys) -> str:
    """Who said what stands at `path`: `config.yaml:12`, `preset tabular`, `NNCLI_EPOCHS`, `--set` or `default`."""
    value: object = loaded.document.value
    for depth, step in enumerate(path):
        inside = _inside(value, step)
        if inside is None:
            short = not isinstance(value, dict | list) and _spelled_out(loaded.config, path[:depth], step)
            return _said(loaded.document, path[:depth]) if short else DEFAULT
        (value,) = inside
    return _said(loaded.document, path)


def resolved_provenance(loaded: LoadedConfig, plain: Values, later: Values, settled: Values, path: Keys) -> str:
    """As `origin`, of what is `settled` by a table.

    `plain` is the configuration before that, written out, and `later` what it comes to without a table.
    """
    shown = _at(settled, path)
    if shown == _at(plain, path):
        return provenance(loaded, path)
    return OTHER_KEYS if shown == _at(later, path) else TABLE


def _inside(value: object, step: str | int) -> tuple[object] | None:
    if isinstance(value, dict) and step in value:
        return (value[step],)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return (value[step],)
    return None


def _spelled_out(config: Config, path: Keys, key: str | int) -> bool:
    """Whether `key` is part of what a short form at `path` stands for, rather than a default beside it."""
    value: object = config
    for step in path:
        value = getattr(value, str(step)) if isinstance(value, Spec) else value[step]  # type: ignore[index]
    return isinstance(value, Spec) and key in value.model_fields_set


def _said(document: Document, path: Keys) -> str:
    mark = next(
        (document.spans[path[:n]] for n in range(len(path), 0, -1) if path[:n] in document.spans), SourceSpan(DEFAULT)
    )
    if mark.key is None:
        return mark.setter or mark.source
    return f"{Path(mark.source).name}:{mark.key[0]}"


def _at(values: Values, path: Keys) -> object:
    """What stands at `path`; `...` where nothing does."""
    value: object = values
    for step in path:
        inside = _inside(value, step)
        if inside is None:
            return ...
        (value,) = inside
    return value
