from __future__ import annotations

import time
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncli.base.credentials import argument_without_credentials, redacted, with_credentials, without_credentials
from nncli.base.errors import ConfigError, ConfigIssue, Location, NncliError
from nncli.base.findings import Finding, FindingCode

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


@given(SCHEMES, HOSTS, PATHS, SECRET_NAMES | SIGNATURES, st.sampled_from(["", "?x=1", f"?token={SECRET}"]))
def test_no_secret_of_a_fragment_survives(scheme: str, host: str, path: str, name: str, query: str) -> None:
    url = f"{scheme}://{host}{path}{query}#{name}={SECRET}"
    assert SECRET not in without_credentials(url)
    assert SECRET not in redacted(f"cannot read {url}: it is gone")
    assert with_credentials(without_credentials(url)) == url


@given(HOSTS, PATHS, SIGNATURES, st.lists(st.tuples(PLAIN_NAMES, TEXTS), max_size=3))
def test_a_signed_url_has_no_query(host: str, path: str, name: str, plain: list[tuple[str, str]]) -> None:
    query = "&".join([*(f"{key}={value}" for key, value in plain), f"{name}={SECRET}", f"X-Amz-Credential={SECRET}"])
    public = without_credentials(f"https://{host}{path}?{query}")
    assert public == f"https://{host}{path}"


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "text",
    [
        "https://host:8080/data@v1/t.csv",
        "hf://datasets/me/flowers@main/t.csv",
        "abfs://container@account.dfs.core.windows.net/t.csv",
        r"C:\Users\me@work\t.csv",
        "t.csv, row 3, column 'mail': 'a@b.org' is no number",
        "the mail of row 3: a@b.org",
        "Write to me@example.org, or see https://example.org/a:b",
        "learning_rate=0.1, monkey=3, keys=4",
        "Send the header `Authorization: Bearer TOKEN`, with the token: see serve.",
        "12:30 - 13:45, @home",
        "The key: a column without two equal cells",
        "path: data/t.csv",
        "expected key=value, found 'x'",
        "expected key=range, found 'x'",
        "data/region_key=5/part.csv",
    ],
)
def test_a_text_without_secrets_is_unchanged(text: str) -> None:
    assert redacted(text) == text


FORMS = [
    "https:/user:{}@h/t.csv",
    "https:user:{}@h/t.csv",
    "https:///user:{}@h/t.csv",
    "https:////user:{}@h/t.csv",
    "https//user:{}@h/t.csv",
    "https;//user:{}@h/t.csv",
    "://user:{}@h/t.csv",
    "//user:{}@h/t.csv",
    "user:{}@h",
    "user:{}@h:5432/db",
    ":{}@h/t.csv",
    "HTTPS:/user:{}@h/t.csv",
    "HTTPS://user:{}@h/t.csv",
    "Postgres:/user:{}@h/db",
    "postgres ://user:{}@h/db",
    "postgres: //user:{}@h/db",
    "postgres:// user:{}@h/db",
    "postgres://user :{}@h/db",
    "postgres://user: {}@h/db",
    "postgres://user:{} @h/db",
    " postgres://user:{}@h/db",
    "postgre://user:{}@h/db",
    "foo://user:{}@h/t",
    "foo://user:{}/@h/t",
    "mysql://user:{}#@h/db",
    "mysql://user:{}?x@h/db",
    "mysql:/user:{}/x@h/db",
    "https:\\\\user:{}@h\\t.csv",
    "https:/{}@h/t.csv",
    "https%3A%2F%2Fuser%3A{}%40h%2Ft.csv",
    "https:/user%3A{}%40h/t.csv",
    "https://h/t.csv?password={}",
    "https:/h/t.csv?password={}",
    "t.csv?password={}",
    "t.csv?x=1&access_token={}&y=2",
    "https:/h/t.csv?key={}",
    "https:/h/t.csv?sig={}",
    "host=h user=me password={} dbname=d",
    "host=h password = {}",
    "postgresql:host=h;PWD={};uid=me",
    "sqlite:///user:{}@h/db",
    "s3:/user:{}@bucket/t.csv",
]
"""Addresses with a password that is {}, mistyped in many ways."""


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@given(
    st.from_regex(r"[A-Za-z0-9!$%^*_+.~-]{3,20}", fullmatch=True), st.sampled_from(["", "'", '"', "(", "cannot read "])
)
def test_no_password_of_a_mistyped_address_is_shown(form: str, password: str, before: str) -> None:
    secret = f"S3{password}"
    shown = redacted(f"{before}{form.format(secret)}: there is no such file")
    assert secret not in shown
    assert shown.endswith(": there is no such file")
    assert redacted(shown) == shown


@given(st.sampled_from(FORMS))
def test_no_part_of_an_error_has_a_password(form: str) -> None:
    text = form.format(SECRET)
    location = Location(source=text)
    issue = ConfigIssue(text, location, text, text)
    finding = Finding("note", FindingCode.DATA, location, text, text)
    for shown in (NncliError(text, location=location, hint=text), ConfigError(issue), issue, finding, location):
        assert SECRET not in f"{shown} {shown!r} {vars(shown)}"


@given(st.text("a:@/=%4 '\"passwordkey", max_size=40))
def test_any_text_may_be_redacted(text: str) -> None:
    assert isinstance(redacted(text), str)


def test_a_long_text_is_redacted_in_little_time() -> None:
    start = time.perf_counter()
    for part in ("a:", "a:b", ":/", "/:", "key", "password=", "@", " :", "/ :", "{", "%3A", "https://a:b"):
        redacted(part * 2_000 + "@")
    assert time.perf_counter() - start < 10
