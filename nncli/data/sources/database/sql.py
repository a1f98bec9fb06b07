"""The check that a query is one SELECT statement, made before anything is sent to the database.

Strings, quoted names and comments differ between databases, so the words of a statement are found by the rules of its
dialect. What those rules leave open is refused. The read-only transaction of the database is the second guard.

A read-only transaction of a server still lets functions reach its files, its other sessions and its replication, as far
as the account may. Calls of such functions are refused. A function that somebody defined in the database may hide one:
what that may do is limited by the rights of the account alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NoReturn

from nncli.base.errors import Location, UsageError
from nncli.base.text import quote
from nncli.data.sources.database.address import DatabaseKind


class TokenKind(StrEnum):
    """What a part of a statement is."""

    WORD = "word"
    NUMBER = "number"
    STRING = "string"
    ESCAPE_STRING = "string with backslash escapes"
    NAME = "quoted name"
    COMMENT = "comment"
    SPACE = "space"
    SIGN = "sign"


@dataclass(frozen=True)
class SqlToken:
    """A part of a statement as it is spelled."""

    kind: TokenKind
    text: str
    length: int
    """Characters of the query that it stands for."""

    @property
    def keyword(self) -> str:
        """The word in upper case; empty for other kinds."""
        return self.text.upper() if self.kind is TokenKind.WORD else ""


SPACE = (TokenKind.SPACE, r"[ \t\r\n\f]+")
WORD = (TokenKind.WORD, r"[^\W\d][\w$]*")
# A name such as U&"lo\005fexport" is another one than it reads.
WORD_OF_POSTGRESQL = (TokenKind.WORD, r"(?![uU]&\")[^\W\d][\w$]*")
# What follows a number must not be a letter or quote: databases disagree on where such a number ends.
NUMBER = (
    TokenKind.NUMBER,
    r"(?:0[xX][0-9a-fA-F_]++|(?:[0-9][0-9_]*+(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)(?![\w$'\"])",
)
SIGN = (TokenKind.SIGN, r"(?!/\*|\*/)[-+*/%<>=~!@#^&|?:;,.(){}\[\]]")
STRING = (TokenKind.STRING, r"'(?:[^']++|'')*+'")
QUOTED_NAME = (TokenKind.NAME, r'"(?:[^"]++|"")*+"')
BACKQUOTED_NAME = (TokenKind.NAME, r"`(?:[^`]++|``)*+`")
# A comment within a comment is refused: databases disagree on which end is the end.
BLOCK_COMMENT = (TokenKind.COMMENT, r"/\*(?:(?!/\*|\*/)[\s\S])*+\*/")
LINE_COMMENT = (TokenKind.COMMENT, r"--[^\r\n]*")

POSTGRESQL_RULES = (
    SPACE,
    BLOCK_COMMENT,
    LINE_COMMENT,
    (TokenKind.ESCAPE_STRING, r"[eE]'(?:[^'\\]++|\\[\s\S]|'')*+'"),
    STRING,
    QUOTED_NAME,
    (TokenKind.STRING, r"\$(?P<tag>(?:[^\W\d]\w*)?)\$[\s\S]*?\$(?P=tag)\$"),
    WORD_OF_POSTGRESQL,
    NUMBER,
    SIGN,
)
RULES = {
    DatabaseKind.POSTGRESQL: POSTGRESQL_RULES,
    DatabaseKind.DUCKDB: POSTGRESQL_RULES,
    DatabaseKind.MYSQL: (
        SPACE,
        # What follows /*! or /*M! is no comment: it is executed.
        (TokenKind.COMMENT, r"/\*(?!M?!)(?:(?!/\*|\*/)[\s\S])*+\*/"),
        # Two minus signs begin a comment only before a space.
        (TokenKind.COMMENT, r"(?:--(?=[ \t\r\n\f]|\Z)|\#)[^\r\n]*"),
        (TokenKind.STRING, r"'(?:[^'\\]++|\\[\s\S]|'')*+'"),
        (TokenKind.STRING, r'"(?:[^"\\]++|\\[\s\S]|"")*+"'),
        BACKQUOTED_NAME,
        WORD,
        NUMBER,
        SIGN,
    ),
    DatabaseKind.SQLITE: (
        SPACE,
        BLOCK_COMMENT,
        LINE_COMMENT,
        STRING,
        QUOTED_NAME,
        BACKQUOTED_NAME,
        (TokenKind.NAME, r"\[[^\]]*\]"),
        WORD,
        NUMBER,
        # Without the signs of parameters, which may contain quotes.
        (TokenKind.SIGN, r"(?!/\*|\*/)[-+*/%<>=~!&|;,.()]"),
    ),
}
PATTERNS = {dialect: [(kind, re.compile(pattern)) for kind, pattern in rules] for dialect, rules in RULES.items()}
CONTROL = re.compile(r"[\0-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")

FIRST_WORDS = ("SELECT", "WITH", "VALUES", "TABLE")
CHANGES = ("INSERT", "UPDATE", "DELETE", "MERGE", "INTO")
"""Words of statements that change something, which WITH and SELECT may contain."""
LOCKS = (("FOR", "SHARE"), ("FOR", "NO"), ("FOR", "KEY"), ("LOCK", "IN"))
FUNCTIONS = {
    DatabaseKind.POSTGRESQL: re.compile(
        # Large objects, other connections, texts that are run as SQL, settings.
        r"lo_\w+|loread|lowrite|dblink\w*|(?:query|cursor)_to_xml\w*|ts_(?:stat|rewrite)|set_config"
        r"|binary_upgrade_\w+|brin_\w+|gin_clean_pending_list"
        # Everything that administers the server, but what only tells something.
        r"|pg_(?!(?:typeof|backend_pid|client_encoding|collation_for|postmaster_start_time|size_\w+|\w+_size|sleep\w*)$"
        r"|get_\w+$|describe_\w+$|\w+_is_visible$|is_in_recovery$|input_\w+$|partition_\w+$)\w+"
    ),
    DatabaseKind.MYSQL: re.compile(r"load_file|sys_(?:exec|eval)"),
}
"""Functions of servers that reach files or act on other sessions within a read-only transaction."""
HINT = "A query is one SELECT, WITH … SELECT, VALUES or TABLE statement."


def check_query(query: str, dialect: DatabaseKind, source: str) -> str:
    """The query without comments and without the semicolon at its end, as it may be sent.

    Raises:
        UsageError: it is not one statement that only reads.
    """

    def refuse(message: str, hint: str = HINT) -> NoReturn:
        raise UsageError(message, location=Location(source=source), hint=hint)

    if (control := CONTROL.search(query)) is not None:
        refuse(f"the query contains the control character {quote(control.group())}", "Remove it.")
    tokens = list(tokens_of(query, dialect))
    if (unclear := query[sum(token.length for token in tokens) :]) != "":
        refuse(f"the query cannot be read from {quote(unclear)} on", _unclear_hint(unclear))
    while tokens and (tokens[-1].text == ";" or tokens[-1].kind is TokenKind.SPACE):
        tokens.pop()
    words = [token for token in tokens if token.kind is not TokenKind.SPACE]
    if not words:
        refuse("the query is empty")
    if any(token.text == ";" for token in words):
        refuse("the query has several statements")
    first = next((token for token in words if token.text != "("), words[0])
    if first.keyword not in FIRST_WORDS:
        refuse(f"the query begins with {quote(first.text)}; only statements that read are sent to a database")
    if (words_found := forbidden_words(words)) is not None:
        name = "`name`" if dialect is DatabaseKind.MYSQL else '"name"'
        refuse(
            f"the query contains {words_found}; only statements that read are sent to a database",
            f"{HINT} If it is the name of a column, write it in quotes: {name}.",
        )
    if (function := forbidden_function(words, dialect)) is not None:
        refuse(
            f"the query calls {function}, which does more than read the tables of the database",
            "Leave the call out. What it returns, another program can write into a table or a file.",
        )
    if any(a.kind is TokenKind.ESCAPE_STRING and b.text[-1] == "'" for a, b in pairwise(words)):
        # PostgreSQL reads the second one with backslash escapes too if they are on two lines.
        refuse("the query has one string directly after another", "Join them with ||.")
    return "".join(token.text for token in tokens)


def tokens_of(query: str, dialect: DatabaseKind) -> Iterator[SqlToken]:
    """The parts of a statement, up to the first that cannot be read. A comment is a space."""
    position = 0
    while position < len(query):
        matches = ((kind, pattern.match(query, position)) for kind, pattern in PATTERNS[dialect])
        kind, match = next(((kind, match) for kind, match in matches if match is not None), (None, None))
        if kind is None or match is None:
            return
        position, text = match.end(), match.group()
        if kind is TokenKind.COMMENT:
            yield SqlToken(TokenKind.SPACE, " ", len(text))
        else:
            yield SqlToken(kind, text, len(text))


def mentions(query: str, name: str, dialect: DatabaseKind) -> bool:
    """Whether a statement has the name of a table, in whatever role and case, quoted or not."""
    words = (token.text for token in tokens_of(query, dialect) if token.kind in (TokenKind.WORD, TokenKind.NAME))
    return name.casefold() in {word.strip('"`').replace('""', '"').replace("``", "`").casefold() for word in words}


def forbidden_words(words: Sequence[SqlToken]) -> str | None:
    """The first words that belong to a statement that changes or locks rows; not those after a point."""
    for i, token in enumerate(words):
        if i and words[i - 1].text == ".":
            continue
        following = words[i + 1] if i + 1 < len(words) else None
        is_function = token.keyword == "INSERT" and following is not None and following.text == "("
        if token.keyword in CHANGES and not is_function:
            return token.keyword
        if following is not None and (token.keyword, following.keyword) in LOCKS:
            return f"{token.keyword} {following.keyword}"
    return None


def forbidden_function(words: Sequence[SqlToken], dialect: DatabaseKind) -> str | None:
    """The name of the first function that is called, quoted or not, and may not be."""
    if dialect not in FUNCTIONS:
        return None
    for token, following in pairwise(words):
        name = token.text.strip('"`').lower()
        is_call = following.text == "(" and token.kind in (TokenKind.WORD, TokenKind.NAME)
        if is_call and FUNCTIONS[dialect].fullmatch(name):
            return name
    return None


def _unclear_hint(text: str) -> str:
    if text.startswith("/*"):
        return "Close every comment, and put none into another; comments that are executed (/*! … */) are refused."
    if text[:3].lower() == 'u&"':
        return "Write the letters of the name as they are, without U&."
    if text[0] in "'\"`[$":
        return "Close every string and quoted name."
    return "Leave a space after a number, write values instead of parameters, and use plain spaces and quotes."
