from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncli.data.sources.credentials import (
    argument_without_credentials,
    redacted,
    with_credentials,
    without_credentials,
)

SECRET = "c0nfidential"
SCHEMES = st.sampled_from(["http", "https", "s3", "postgresql", "mysql", "HTTPS"])
HOSTS = st.from_regex(r"[a-z][a-z0-9.-]{0,9}[a-z](:[0-9]{1,4})?", fullmatch=True)
PATHS = st.lists(st.text("abcXYZ0189._-~%20=+,;:", max_size=6), max_size=3).map(lambda parts: "/" + "/".join(parts))
SECRET_NAMES = st.sampled_from(
    ["token", "access_token", "api_key", "apikey", "password", "PWD", "sslpassword", "client-secret", "key", "%74oken"]
)
PLAIN_NAMES = st.sampled_from(["version", "versionId", "x", "sslmode", "format", "monkey", "page"])
SIGNATURES = st.sampled_from(["sig", "Signature", "X-Amz-Signature", "X-Goog-Signature"])
TEXTS = st.text(max_size=8).map(lambda text: quote(text, safe=""))


@given(SCHEMES, TEXTS, HOSTS, PATHS)
def test_no_login_survives(scheme: str, user: str, host: str, path: str) -> None:
    url = f"{scheme}://{user}:{SECRET}@{host}{path}"
    public = without_credentials(url)
    assert SECRET not in public
    assert "@" not in public
    assert urlsplit(public)[:3] == (scheme.lower(), host, path)
    assert with_credentials(public) == url
    assert without_credentials(public) == public


@given(SCHEMES, HOSTS, PATHS, st.lists(st.tuples(PLAIN_NAMES, TEXTS), max_size=3), st.lists(SECRET_NAMES, min_size=1))
def test_no_secret_parameter_survives_and_others_do(
    scheme: str, host: str, path: str, plain: list[tuple[str, str]], secret: list[str]
) -> None:
    shown = [f"{name}={value}" for name, value in plain]
    hidden = [f"{name}={SECRET}{number}" for number, name in enumerate(secret)]
    url = f"{scheme}://{host}{path}?{'&'.join([*hidden[1:], *shown, hidden[0]])}"
    public = without_credentials(url)
    assert SECRET not in public
    assert urlsplit(public).query == "&".join(shown)
    assert with_credentials(public) == url


@given(HOSTS, PATHS, SIGNATURES, st.lists(st.tuples(PLAIN_NAMES, TEXTS), max_size=3))
def test_a_signed_url_has_no_query(host: str, path: str, name: str, plain: list[tuple[str, str]]) -> None:
    query = "&".join([*(f"{key}={value}" for key, value in plain), f"{name}={SECRET}", f"X-Amz-Credential={SECRET}"])
    public = without_credentials(f"https://{host}{path}?{query}")
    assert public == f"https://{host}{path}"


@given(SCHEMES, HOSTS, PATHS, st.lists(st.tuples(PLAIN_NAMES, TEXTS), max_size=3), st.sampled_from(["", "#part"]))
def test_a_url_without_secrets_is_unchanged(
    scheme: str, host: str, path: str, plain: list[tuple[str, str]], fragment: str
) -> None:
    query = "&".join(f"{name}={value}" for name, value in plain)
    url = f"{scheme}://{host}{path}{'?' if query else ''}{query}{fragment}"
    assert without_credentials(url) == url


@given(st.text())
def test_a_path_is_unchanged(path: str) -> None:
    assume("://" not in path)
    assert without_credentials(path) == path
    assert argument_without_credentials(path) == path
    assert redacted(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "C:\\x",
        "a@b.csv",
        "x://",
        "://a:b@c",
        "me:secret@t.csv",
        "data/http:/a@b/t.csv",
        "sqlite:///a@b/t.db",
        "abfss://container@account.dfs.core.windows.net/t.csv",
        "s3://bucket/a@b:c.csv",
        "http://[::1",
        "-",
        "",
    ],
)
def test_what_is_no_login_is_unchanged(path: str) -> None:
    assert without_credentials(path) == path


@pytest.mark.parametrize("password", [f"{SECRET}/a", f"a?{SECRET}", f"{SECRET}#", f"{SECRET}/@{SECRET}", f"[{SECRET}"])
def test_a_password_that_should_be_encoded_does_not_survive(password: str) -> None:
    assert without_credentials(f"https://me:{password}@host/t.csv") == "https://host/t.csv"


@pytest.mark.parametrize("password", [f"12/{SECRET}", f"12?{SECRET}", f"12#{SECRET}"])
def test_nor_does_one_for_a_database_that_begins_like_a_port(password: str) -> None:
    assert without_credentials(f"postgresql://me:{password}@host/db") == "postgresql://host/db"


@given(st.text())
def test_any_text_after_a_scheme_is_taken(rest: str) -> None:
    public = without_credentials(f"http://{rest}")
    assert without_credentials(public) == public


@pytest.mark.parametrize("prefix", ["", "--query=", "data.path=", "--set=data.path=", "validation="])
def test_arguments_of_a_command_have_no_secrets(prefix: str) -> None:
    word = argument_without_credentials(f"{prefix}https://me:{SECRET}@host/t.csv?token={SECRET}&x=1")
    assert word == f"{prefix}https://host/t.csv?x=1"


@pytest.mark.parametrize(
    "text",
    [
        "data: {path: 'https://me:SECRET@host/t.csv?token=SECRET'}",
        'path: "https://me:SECRET@host/t.csv"  # from me',
        "failed: <https://host/t.csv?x=1&sig=SECRET>\nand https://me:SECRET@other/",
    ],
)
def test_texts_have_no_secrets(text: str) -> None:
    shown = redacted(text.replace("SECRET", SECRET))
    assert SECRET not in shown
    assert "host/t.csv" in shown
    assert shown[:6] == text[:6]


def test_a_secret_that_no_pattern_finds_is_known_from_the_source() -> None:
    url = f"https://me:{SECRET}' {SECRET}@host/t.csv"
    public = without_credentials(url)
    assert public == "https://host/t.csv"
    assert redacted(f"cannot open {url}!") == f"cannot open {public}!"
