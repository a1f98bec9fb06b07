"""Validate a document, and write a message with a hint for every issue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nncli.base.errors import ConfigError, ConfigIssue
from nncli.config.errors.locate import LocatedError, locate
from nncli.config.errors.messages import IssueWriter, meant_key
from nncli.config.errors.suggestions import FixChecker
from nncli.config.yaml.document import Document, Path

M = TypeVar("M", bound=BaseModel)
Group = Sequence[LocatedError]

MAX_ISSUES = 20  # shown in full
MAX_SUGGESTIONS = 100  # unknown keys that are compared with the missing keys


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`.

    Raises:
        ConfigError: the document is not valid; holds the first MAX_ISSUES issues in the order of the file.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        errors = [locate(details, model, document) for details in error.errors(include_url=False)]
        raise ConfigError(*_issues(errors, model, document)) from None


def _issues(errors: Sequence[LocatedError], model: type[BaseModel], document: Document) -> list[ConfigIssue]:
    """One issue for each location, in the order of the file, and one that counts those that are left out."""
    groups = sorted(_by_location(errors).values(), key=lambda group: _position(document, group[0].path))
    writer = IssueWriter(model, document, FixChecker(model, document, errors))
    issues = sorted(map(writer.issue, groups[:MAX_ISSUES]), key=lambda issue: _order(issue, document))
    if len(groups) > MAX_ISSUES:
        issues.append(document.issue(f"and {len(groups) - MAX_ISSUES:,} more", groups[MAX_ISSUES][0].path))
    return issues


def _by_location(errors: Sequence[LocatedError]) -> Mapping[tuple[Path, bool], Group]:
    """The errors of each path, of its key or its value, without those that follow from others."""
    nested = {error.path[:n] for error in errors for n in range(len(error.path))}
    groups: dict[tuple[Path, bool], list[LocatedError]] = {}
    for error in errors:
        # A union reports the errors of every branch; the branch with the longest path is the one that was meant.
        if error.path not in nested:
            groups.setdefault((error.path, error.about_key), []).append(error)
    # A misspelled key is also reported as missing. One mistake is one issue.
    unknown = [error for error in errors if error.kind == "extra_forbidden"]
    misspelled = {(*error.path[:-1], meant_key(error)) for error in unknown[:MAX_SUGGESTIONS]}
    return {
        (path, about_key): group
        for (path, about_key), group in groups.items()
        if not (group[0].kind == "missing" and path in misspelled)
    }


def _position(document: Document, path: Path) -> tuple[bool, int, int]:
    location = document.location(path)
    return (location.source != document.source, location.line or 0, location.character or 0)


def _order(issue: ConfigIssue, document: Document) -> tuple[bool, int, int]:
    return (issue.location.source != document.source, issue.location.line or 0, issue.location.character or 0)
