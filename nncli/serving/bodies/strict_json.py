"""JSON as RFC 8259 has it, and without what readers of JSON understand differently.

Refused are repeated keys, unpaired surrogates, other encodings than UTF-8, and NaN and Infinity, which Python accepts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from nncli.base.text import quote
from nncli.data.formats.jsonlines import describe_json_error, reject_constant
from nncli.data.formats.streams import UTF8_BOM
from nncli.serving.problems.problem import bad_request, too_large

TOO_MANY = "the body has too many rows, or lists and objects within rows"
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, also one without an end: so every character is looked at once."""


def parse_json_text(
    body: bytes, *, accepts_nan: bool = False, most: int | None = None, what: str = "the body", hint: str | None = None
) -> Any:
    """The value of a JSON text of at most so many objects and so many lists, with NaN if `accepts_nan`.

    `what` is the name of the text in messages, `hint` what to do if it is not JSON.

    Raises:
        ProblemError: it is not valid JSON, or there are more.
    """
    try:
        text = body.removeprefix(UTF8_BOM).decode()
    except UnicodeDecodeError as error:
        raise bad_request(f"{what} is not UTF-8, from byte {error.start + 1:,} on", hint or "JSON is UTF-8.") from None
    try:
        if most is not None:
            check_size(text, most)
        value = (_LENIENT if accepts_nan else _STRICT).decode(text)
        if "\\u" in text and SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        surrogate = f"\\u{ord(error.object[error.start]):04x}"
        raise bad_request(f"{what} has {quote(surrogate)}, an unpaired surrogate, which is not a character") from None
    except RecursionError:
        raise bad_request(f"{what} is nested too deeply", "Send rows of numbers and texts.") from None
    except json.JSONDecodeError as error:
        raise bad_request(f"{what} is not JSON: {describe_json_error(error)}", hint) from None
    except ValueError as error:
        reason = str(error)
        if reason.startswith("Exceeds the limit"):
            reason = "an integer has thousands of digits"
        raise bad_request(f"{what} is not valid: {reason}") from None
    return value


def check_size(text: str, most: int) -> None:
    """Raise a ProblemError if a text, of one value or of one for each line, has more objects or lists than `most`."""
    if max(text.count("{"), text.count("[")) > most:
        outside = STRING.sub("", text)
        if max(outside.count("{"), outside.count("[")) > most:
            raise too_large(TOO_MANY, "Send fewer rows.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of pairs; a ValueError if a key is repeated."""
    members = dict(pairs)
    if len(members) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {quote(key)} more than once; keep one of the values")
    return members


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=reject_constant)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=float)
