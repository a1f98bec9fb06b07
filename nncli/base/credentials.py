"""User names, passwords and tokens in URLs: removed from what is recorded, kept in memory for the connection.

A specification holds a URL without them, so they reach no run, log, report or message. Only what opens the connection
asks for them, by `with_credentials`. What looks like a login in a mistyped address is masked in all that is shown, by
`redacted`: in errors, findings and lines of the log, wherever they are made.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote_plus, urlsplit

LOGIN = re.compile(
    r"user(name)?|uid|pass(word|wd)?|pwd|ssl_?password|(.*[_-])?(token|secret|api_?key|key)", re.IGNORECASE
)
"""Parameters of a URL that log in."""
SIGNATURE = re.compile(r"sig|signature|x-(amz|goog)-signature", re.IGNORECASE)
"""Parameters of a URL that was signed by Azure, S3 or Google; the other parameters belong to the signature."""
CONTAINER_SCHEMES = ("abfs", "abfss")
"""Schemes of Azure, whose URLs have a container where others have a user name."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://\S")
RAW_LOGIN = re.compile(r"[^:]+://[^/?#@:\[]*:(?!\d*[/?#])[^/?#@]*[/?#].*@", re.DOTALL)
"""The beginning of a URL of which a password has / ? or #, which should be encoded: it is no port."""
SERVERS = ("postgresql", "postgres", "mysql", "mariadb")
"""Schemes of database servers: an @ that is not before the host belongs to such a password, also after digits."""
LOGIN_OF_INVALID = re.compile(r"\A([^:]+://).*@", re.DOTALL)
ARGUMENT = re.compile(r"((?:--[\w-]+=)?(?:[\w.]+=)?)([A-Za-z][A-Za-z0-9+.-]+://.+)", re.DOTALL)
"""A word of a command line with a URL: alone, after an option, or after the key of a configuration."""
URL_IN_TEXT = re.compile(r"(?<![A-Za-z0-9+.-])([0-9+.-]*+)([A-Za-z][A-Za-z0-9+.-]++://[^\s'\"<>`]*[^\s'\"<>`:.,;])")

MAY_HAVE_LOGIN = re.compile(r"[@=]|%40|://|:\s")
HIDDEN = "***"
SECRET_NAME = (
    r"(?:(?:[\w-]*[_-])?(?:(?:ssl_?)?pass(?:word|wd)?|pwd|token|secret|signature)|sig"
    r"|(?:(?:api|access|account|secret|private)[_-]?)?key)"
)
SECRET_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s&'"<>,;)\]}]+?(?=[:.]?(?:[\s&'"<>,;)\]}]|$)))"""
LOGINS_IN_TEXT = [
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), shown)
    for pattern, shown in (
        # user : password @, after a slash, with blanks where none should be.
        (r"""(/\s*+)[^\s/:@'"]{0,100}+\s*+:\s*+[^\s/@'"]{1,300}+\s*+@""", rf"\1{HIDDEN}@"),
        # user:password@ anywhere else, also percent-encoded. What follows the colon is no path, and no port.
        (r"""(?:(?!%3A)[^\s:/@'"]){0,100}(?::|%3A)(?![/\\]|\d+/|\*{3}@)[^\s'"]{1,300}(?:@|%40)""", f"{HIDDEN}@"),
        # token@ after one slash; after two it is part of a URL.
        (r"""\b(\w{2,}\s*:\s*/\s*)(?!/)[^\s/:@'"]{1,300}@(?=[\w.-]+(?:[/:]|$))""", rf"\1{HIDDEN}@"),
        # password=… of a query, a connection string or an option.
        (rf"(?<![\w-])({SECRET_NAME}\s?=\s?)(?!(?:value|range)\b){SECRET_VALUE}", rf"\1{HIDDEN}"),
        # password: … of a line of YAML.
        (rf"(^|[{{,])(\s*(?:- )?[\"']?{SECRET_NAME}[\"']?\s*:\s+){SECRET_VALUE}", rf"\1\2{HIDDEN}"),
    )
]
"""What looks like credentials in a text, and what is shown instead."""

_full_urls: dict[str, str] = {}
"""The URL as it was given, by the URL without credentials."""


def without_credentials(path: str) -> str:
    """The path or URL without user name, password and signature, which are remembered for `with_credentials`."""
    public = _public(path)
    if public != path:
        _full_urls[public] = path
    return public


def with_credentials(path: str) -> str:
    """The URL as it was last given in this process, with its credentials if it had any."""
    return _full_urls.get(path, path)


def argument_without_credentials(word: str) -> str:
    """A word of a command line without the credentials of its URL, which are remembered.

    >>> argument_without_credentials("--set=data.path=https://me:secret@host/t.csv")
    '--set=data.path=https://host/t.csv'
    """
    match = ARGUMENT.fullmatch(word)
    return word if match is None else f"{match[1]}{without_credentials(match[2])}"


def redacted(text: str) -> str:
    """A text of any kind without what is, or looks like, credentials in it.

    >>> redacted("  path: https://me:secret@host/t.csv # mine")
    '  path: https://host/t.csv # mine'
    >>> redacted("https:/me:secret@host/t.csv: there is no such file")
    'https:/***@host/t.csv: there is no such file'
    """
    if not MAY_HAVE_LOGIN.search(text):
        return text
    cleared = text
    for public, full in _full_urls.items():
        cleared = cleared.replace(full, public)
    cleared = URL_IN_TEXT.sub(lambda match: match[1] + _public(match[2]), cleared)
    for pattern, shown in LOGINS_IN_TEXT:
        cleared = pattern.sub(shown, cleared)
    cleared = URL_IN_TEXT.sub(lambda match: match[1] + _public(match[2]), cleared)  # the blanks in a URL are gone
    return text if cleared == text else cleared  # a text of a class of its own, such as Advice, stays one


def has_login(path: str) -> bool:
    """Whether a local path looks like a mistyped address with a login."""
    return any(pattern.search(path) for pattern, shown in LOGINS_IN_TEXT if shown.endswith("@"))


def _public(path: str) -> str:
    """The path or URL without user name, password and signature."""
    if not URL.match(path):
        return path
    url = split_url(path)
    if url is None or RAW_LOGIN.match(path) or ("@" in path and url.scheme in SERVERS and "@" not in url.netloc):
        # Not a valid URL, but perhaps a password with characters that should be encoded.
        return LOGIN_OF_INVALID.sub(r"\1", path)
    login, _, host = url.netloc.rpartition("@")
    if url.scheme in CONTAINER_SCHEMES and ":" not in login:
        host = url.netloc
    query, fragment = map(_without_logins, (url.query, url.fragment))
    if (host, query, fragment) == (url.netloc, url.query, url.fragment):
        return path
    rest = (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    return f"{url.scheme}://{host}{url.path}{rest}"


def _without_logins(query: str) -> str:
    """A query or a fragment without the parameters that log in; nothing if it is signed."""
    pairs = query.split("&") if query else []
    names = [unquote_plus(pair.partition("=")[0]) for pair in pairs]
    if any(SIGNATURE.fullmatch(name) for name in names):
        return ""
    return "&".join(pair for pair, name in zip(pairs, names, strict=True) if not LOGIN.fullmatch(name))


def split_url(path: str) -> SplitResult | None:
    """The parts of a URL; None if it is not valid."""
    try:
        return urlsplit(path)
    except ValueError:
        return None
