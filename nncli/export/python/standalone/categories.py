"""The code of a category, as nncli/data/columns/spellings.py finds it."""

from __future__ import annotations

import re
from collections.abc import Callable

from nncli.export.python.standalone.texts import SPACES
from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE, CategoryInput

WHOLE_NUMBER = re.compile(r"([+-]?(?:0|[1-9][0-9]*))\.0+")


def code_reader(column: CategoryInput) -> Callable[[str | None], int]:
    """A function that returns the code of a text, None for a missing one."""
    texts, keys, folded = dict(column.texts), dict(column.keys), dict(column.folded_keys)

    def read(text: str | None) -> int:
        if text is None:
            return MISSING_CODE
        code = texts.get(text)
        if code is None:
            key = key_of(text)
            code = keys.get(key)
            code = folded.get(key.lower(), OTHER_CODE) if code is None else code
        return code

    return read


def key_of(text: str) -> str:
    """The text without white space around it, and without the zeros of a whole number."""
    bare = text.strip(SPACES)
    whole = WHOLE_NUMBER.fullmatch(bare)
    return whole[1] if whole else bare
