"""The issues of a search space, each where its cause is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.source_text import excerpt
from nncli.tuning.space.space import Parameter


@dataclass(frozen=True)
class IssueLocator:
    """Locates issues in the document of the search space, whose parameters are `written` there."""

    document: Document
    written: tuple[Parameter, ...]

    def located(self, issue: ConfigIssue, parameter: Parameter, value: SourceSpan) -> ConfigIssue:
        """An issue of the configuration with a value of the parameter, where that is written from which it follows."""
        at = issue.location
        position = None if at.line is None or at.character is None else (at.line, at.character)
        for other in self.written:
            for span in (other.span, *other.choice_spans):
                if span.source == at.source and position in (span.key, span.value):
                    inside = self._inside(span, other, issue)
                    line, character = (inside.key if inside is not span else position) or (None, None)
                    location = replace(at, line=line, character=character)
                    return replace(issue, location=location, excerpt=self._excerpt(location), fix=None)
        return self.issue(self._inside(value, parameter, issue), parameter, issue.message, issue.hint)

    def error(self, parameter: Parameter, message: str, hint: str | None = None) -> ConfigError:
        """An error of the key of a parameter."""
        return ConfigError(self.issue(parameter.span, parameter, message, hint))

    def issue(self, span: SourceSpan, parameter: Parameter, message: str, hint: str | None) -> ConfigIssue:
        """An issue of a parameter at a span."""
        line, character = span.key or (None, None)
        location = Location(span.source, line, character, ".".join(parameter.key))
        return ConfigIssue(message, location, hint, self._excerpt(location))

    def _inside(self, span: SourceSpan, parameter: Parameter, issue: ConfigIssue) -> SourceSpan:
        """The span of the key inside a value that an issue is about, or that of the value."""
        spans = self.document.spans
        steps = tuple((issue.location.key or "").split("."))[len(parameter.key) :]
        if span.key is None or not steps:
            return span
        paths = (path for path, other in spans.items() if path[:2] == ("tune", "search") and other == span)
        path = next(paths, ())
        return spans.get((*path, *(int(step) if step.isdecimal() else step for step in steps)), span)

    def _excerpt(self, at: Location) -> str | None:
        return excerpt(self.document.other_lines.get(at.source or "", self.document.lines), at.line, at.character)
