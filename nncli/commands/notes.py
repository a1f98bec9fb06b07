"""What a person should know of a table that is no mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from nncli.errors import listed, quoted

YES_OR_NO = frozenset(["true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "0", "1", "0.0", "1.0"])


def spelled_alike(name: str, categories: Iterable[str]) -> str | None:
    """A note if some `categories` of the column `name` seem to mean the same: True and true, yes and 1."""
    same = defaultdict(list)
    for category in categories:
        same[category.strip().casefold()].append(category)
    twins = [spellings for spellings in same.values() if len(spellings) > 1]
    if twins:
        more = f", and {len(twins) - 1:,} more such" if len(twins) > 1 else ""
        return f"column {quoted(name)}: {listed(twins[0])} are spelled alike{more}; each is a category of its own"
    if len(same) > 2 and YES_OR_NO.issuperset(same):
        return f"column {quoted(name)} spells yes and no as {listed(sorted(same))}; each is a category of its own"
    return None


def all_different(names: Iterable[str]) -> str:
    """A note on columns of categories none of which is ever seen twice."""
    return f"{listed(names)} has a different value in every row and carries nothing; consider data.drop"
