"""Awkward texts for YAML, and the issues of a text."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from nncli.base.errors import ConfigError, ConfigIssue
from nncli.config.yaml.parser import parse

ONE_MIB = 1 << 20

AWKWARD = [
    *["no", "yes", "on", "off", "y", "n", "null", "Null", "~", "true", "1", "-1", "1e-3", "1.5", "007", "0x1F", "0o7"],
    *["2024-01-01", "1:30", "<<", "=", "-", "?", ":", "*", "&", "!", "|", ">", "%", "@", "`", "#", ",", "[", "{"],
    *["", " ", " a ", "a: b", "a #b", "a:", "- a", "a\nb", "\t", "\u2028", "\x85", "\x00", "\ufeff", "é\U0001f600"],
    *[".inf", ".nan", "a, b", "'", '"', "\\", "---", "...", "x" * 1200, "\xa0", "a\u0301", "\u202e", "\r\n"],
]
TEXTS = st.sampled_from(AWKWARD) | st.text(max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
SECTIONS = st.dictionaries(TEXTS, VALUES, max_size=5)
YAML_LIKE = st.lists(
    st.sampled_from(
        [
            *"ab01 -:?[]{},#&*!|>'\"%@~.=\n\t\\",
            "\n  ",
            ": ",
            "- ",
            "a: ",
            "&a ",
            "*a",
            "<<: ",
            "---\n",
            "!!int ",
            "\\x",
            "1e5",
        ]
    )
    | st.text(max_size=2),
    max_size=30,
).map("".join)


def issues(text: str) -> tuple[ConfigIssue, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml")
    for issue in caught.value.issues:
        assert issue.location.source == "c.yaml"
    return caught.value.issues


def only(text: str) -> ConfigIssue:
    (issue,) = issues(text)
    return issue


def at(issue: ConfigIssue) -> tuple[int | None, int | None]:
    return issue.location.line, issue.location.character
