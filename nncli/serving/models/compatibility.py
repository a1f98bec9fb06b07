"""Whether clients of a model can go on with another one in its place."""

from __future__ import annotations

from nncli.base.text import join_quoted, quote
from nncli.serving.models.served_model import ServedModel


def incompatibilities(served: ServedModel, new: ServedModel) -> list[str]:
    """What would fail for clients of the served model if the new one took its place.

    They would fail if the new model predicts something else, or refuses the rows that they send: it needs a column that
    the served one does not read, or cannot read the cells of one. What it no longer reads is ignored.
    """
    found = []
    old_target, target = served.model.spec.target, new.model.spec.target
    if (type(old_target), old_target.names) != (type(target), target.names):
        found.append(f"it predicts {target.title} in place of {old_target.title}")
    unknown = [name for name in new.schema.required if name not in served.schema.by_name]
    if unknown:
        found.append(f"it needs columns that the served model does not read: {join_quoted(unknown)}")
    for feature in new.schema.features:
        old = served.schema.by_name.get(feature.name)
        if old is not None and old.kind != feature.kind and feature.kind in ("number", "date"):
            found.append(f"it reads {quote(feature.name)} as a {feature.kind}, and the served model as a {old.kind}")
        if old is not None and old.is_optional and not feature.is_optional:
            found.append(f"{quote(feature.name)} may no longer be missing")
    return found
