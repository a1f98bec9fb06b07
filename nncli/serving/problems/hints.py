"""Messages and hints of the library as a client of a server needs them: without options of commands.

A client cannot set `data.encoding` or `--on-error`; sentences that say so are replaced or left out.
"""

from __future__ import annotations

import re

SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z`'\"])")
FOR_COMMANDS = re.compile(r"--[a-z]|\bdata\.[a-z]|`data:|under data|`columns:|`drop:|`date_format|\bnncli \w")
"""What is in sentences about commands and configurations."""
REPLACEMENTS = (
    ("data.encoding", "Send UTF-8, or name the encoding in the Content-Type: text/csv; charset=latin-1."),
    ("name it .", "If it is text, send it as text/csv, text/tab-separated-values or application/jsonl."),
    ("data.separator", "Send text/csv with commas, or text/tab-separated-values."),
)
"""What replaces a sentence with a setting."""
FILE = re.compile(r"\b([Tt]he|[Ss]ave the) file\b(?! name)")
"""What a client has sent as a body."""
OPTION_VALUE = re.compile(r"--([a-z]+) (?=[0-9])")
OPTION = re.compile(r"--([a-z]+)(?:-([a-z]+))?")


def client_hint(hint: str | None) -> str | None:
    """The sentences of a hint that a client can follow; None if there is none.

    >>> client_hint("Correct the cell. To predict the table all the same: --on-error skip.")
    'Correct the cell.'
    """
    if hint is None:
        return None
    sentences = []
    for sentence in SENTENCE_END.split(hint):
        replacement = next((text for setting, text in REPLACEMENTS if setting in sentence), None)
        if replacement is not None:
            sentences.append(replacement)
        elif not FOR_COMMANDS.search(sentence):
            sentences.append(client_text(sentence))
    return " ".join(dict.fromkeys(sentences)) or None


def client_text(text: str) -> str:
    """A message about a file, about the body of a request instead.

    >>> client_text("Save the file with line ends of Unix.")
    'Send the body with line ends of Unix.'
    """
    return FILE.sub(lambda match: f"{match[1].replace('ave', 'end')} body", text)


def as_parameters(text: str) -> str:
    """A message about options of a command, with the parameters of an address instead.

    >>> as_parameters("For 90 % write --interval 0.9.")
    'For 90 % write interval=0.9.'
    """
    return OPTION.sub(lambda match: "_".join(filter(None, match.groups())), OPTION_VALUE.sub(r"\1=", text))
