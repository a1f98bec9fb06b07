"""A check of the search space that needs the table: the columns that trials may have as features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.base.text import closest_match, join_quoted, quote
from nncli.config.loading import LoadedConfig
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.source_text import excerpt
from nncli.tuning.space.domains import ChoiceDomain
from nncli.tuning.space.space import SearchSpace

COLUMN_KEYS = (("data", "features"), ("data", "drop"))
"""The keys that choose the columns which are features."""


def check_columns(loaded: LoadedConfig, space: SearchSpace, names: Sequence[str]) -> None:
    """Check that the table, whose columns are `names`, has those that the choices of features name.

    Raises:
        ConfigError: it has not; holds an issue for each choice.
    """
    issues = [
        _issue(loaded.document, ".".join(parameter.key), span, missing, names)
        for parameter in space.parameters
        if parameter.key[:2] in COLUMN_KEYS and isinstance(parameter.domain, ChoiceDomain)
        for choice, span in zip(parameter.domain.choices, parameter.choice_spans, strict=True)
        if (missing := [name for name in _columns(choice) if name not in names])
    ]
    if issues:
        raise ConfigError(*issues)


def _columns(choice: object) -> Iterator[str]:
    """The columns that a choice names; those with a search space of their own are choices too."""
    names = choice if isinstance(choice, list) else [choice]
    yield from (name for name in names if isinstance(name, str))


def _issue(document: Document, key: str, span: SourceSpan, missing: Sequence[str], names: Sequence[str]) -> ConfigIssue:
    line, character = span.key or (None, None)
    close = closest_match(missing[0], names)
    return ConfigIssue(
        f"there {'is no column' if len(missing) == 1 else 'are no columns'} {join_quoted(missing)}",
        Location(span.source, line, character, key),
        f"Did you mean {quote(close)}?" if close else f"The columns are {join_quoted(names)}.",
        excerpt(document.other_lines.get(span.source, document.lines), line, character),
    )
