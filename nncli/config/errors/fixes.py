"""Apply a suggested change to a configuration, and check that the changed configuration is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ValidationError

from nncli.base.errors import ConfigFix
from nncli.config.errors.locate import LocatedError, field_names, locate
from nncli.config.yaml.document import Document, Path


def apply_fix(values: dict[str, object], fix: ConfigFix) -> dict[str, object]:
    """A copy of `values` with the fix applied. Sections that are missing on the way to its path are created.

    Raises:
        ValueError: the path of the fix leads through a value that has no keys, or to an item that does not exist.
    """
    changed = values if fix.remove is None else _changed(values, fix.remove, None, remove=True)
    changed = _changed(changed, fix.path, fix.value, remove=False)
    return changed if isinstance(changed, dict) else values


def _changed(node: object, path: Path, value: object, *, remove: bool) -> object:
    """A copy of `node` in which the entry at `path` is removed or set to `value`."""
    step, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        items = [] if remove and not rest else [_changed(node[step], rest, value, remove=remove) if rest else value]
        return [*node[:step], *items, *node[step + 1 :]]
    if not isinstance(node, dict) or not isinstance(step, str):
        raise ValueError(f"there is no {step} to change")
    if rest:
        return {**node, step: _changed(node.get(step, {}), rest, value, remove=remove)}
    kept = {key: item for key, item in node.items() if not remove or key != step}
    return kept if remove else {**kept, step: value}


def is_complete(value: object) -> bool:
    """Whether `value` has no placeholder `...` for something that only the user knows."""
    if isinstance(value, dict):
        return all(map(is_complete, value.values()))
    return all(map(is_complete, value)) if isinstance(value, list | tuple) else value is not ...


@dataclass(frozen=True)
class FixChecker:
    """Checks fixes of a document by validating the changed document. `errors` are those of the document as it is."""

    model: type[BaseModel]
    document: Document
    errors: Sequence[LocatedError]

    def accepts(self, fix: ConfigFix) -> bool:
        """Whether the value that the fix sets is valid and causes no error elsewhere.

        Placeholders are valid. The value of a renamed key may have errors in its own entries.
        """
        span = self.document.spans.get(fix.path)
        is_renamed = fix.remove is not None and fix.remove[:-1] == fix.path[:-1]
        if is_renamed and span and span.source == self.document.source:
            return False  # both names are written
        known = {*field_names(self.model), fix.path[0]} | ({fix.remove[0]} if fix.remove else set())
        try:
            values = apply_fix({key: item for key, item in self.document.value.items() if key in known}, fix)
            self.model.model_validate(values)
        except ValidationError as error:
            changed = replace(self.document, value=values)
            later = [locate(d, self.model, changed) for d in error.errors(include_url=False) if d["input"] is not ...]
            before = {(error.path, error.kind) for error in self.errors}
            inside = [error.path for error in later if error.path[: len(fix.path)] == fix.path]
            outside = [error for error in later if error.path[: len(fix.path)] != fix.path]
            invalid = fix.path in inside if is_renamed else bool(inside)
            return not invalid and all((error.path, error.kind) in before for error in outside)
        except ValueError:
            return False
        return True
