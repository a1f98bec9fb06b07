"""User names, passwords and tokens in URLs: removed from what is recorded, kept in memory for the connection.

A specification holds a URL without them, so they reach no run, log, report or message. Only what opens the connection
asks for them, by `with_credentials`.
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
LOGIN_OF_INVALID = re.compile(r"([^:]+://).*@", re.DOTALL)
ARGUMENT = re.compile(r"((?:--[\w-]+=)?(?:[\w.]+=)?)([A-Za-z][A-Za-z0-9+.-]+://.+)", re.DOTALL)
"""A word of a command line with a URL: alone, after an option, or after the key of a configuration."""
URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>`]+")

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
    """A text of any kind without the credentials of the URLs in it.

    >>> redacted("  path: https://me:secret@host/t.csv # mine")
    '  path: https://host/t.csv # mine'
    """
    if "://" not in text:
        return text
    for public, full in _full_urls.items():
        text = text.replace(full, public)
    return URL_IN_TEXT.sub(lambda match: _public(match[0]), text)


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
    pairs = url.query.split("&") if url.query else []
    names = [unquote_plus(pair.partition("=")[0]) for pair in pairs]
    if any(SIGNATURE.fullmatch(name) for name in names):
        pairs = names = []
    query = "&".join(pair for pair, name in zip(pairs, names, strict=True) if not LOGIN.fullmatch(name))
    if (host, query) == (url.netloc, url.query):
        return path
    return f"{url.scheme}://{host}{url.path}" + (f"?{query}" if query else "")


def split_url(path: str) -> SplitResult | None:
    """The parts of a URL; None if it is not valid."""
    try:
        return urlsplit(path)
    except ValueError:
        return None
