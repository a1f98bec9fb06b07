from __future__ import annotations

import pytest

from nncli.base.errors import UsageError
from nncli.data.sources.database.address import DatabaseAddress, DatabaseKind
from nncli.data.sources.table_source import TableSource

SECRET = "c0nfidential"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.base.credentials._full_urls", {})


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://host/db", DatabaseKind.POSTGRESQL),
        ("postgres:///db?host=/run/postgresql", DatabaseKind.POSTGRESQL),
        ("POSTGRESQL://host/db", DatabaseKind.POSTGRESQL),
        ("mysql://host:3307/db", DatabaseKind.MYSQL),
        ("mariadb://[::1]/db", DatabaseKind.MYSQL),
        ("sqlite:///a b#?.db", DatabaseKind.SQLITE),
        ("duckdb:////folder/a@b.duckdb", DatabaseKind.DUCKDB),
    ],
)
def test_the_scheme_names_the_kind_of_a_database(url: str, kind: DatabaseKind) -> None:
    address = DatabaseAddress.of(TableSource(path=url))
    assert (address.kind, address.url, address.full_url) == (kind, url, url)


def test_everything_after_three_slashes_is_the_file_of_a_local_database() -> None:
    assert str(DatabaseAddress.of(TableSource(path="sqlite:///a b#?.db")).file) == "a b#?.db"
    assert str(DatabaseAddress.of(TableSource(path="duckdb:////folder/t.duckdb")).file) == "/folder/t.duckdb"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://t.db",
        "duckdb:///",
        "postgresql://host:port/db",
        f"postgresql://me:{SECRET}/x@host/db",
        f"postgresql://me:12/{SECRET}@host/db",
        f"mysql://me:{SECRET}#@host/db",
        f"mysql://me:[{SECRET}@host/db",
    ],
)
def test_a_url_that_is_not_valid_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        DatabaseAddress.of(TableSource(path=url))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@host/db",
        f"postgresql://host/db?user=me&password={SECRET}",
        "postgresql://me:c0nf%69dential@host/db",
    ],
)
def test_messages_of_drivers_lose_the_password(url: str) -> None:
    address = DatabaseAddress.of(TableSource(path=url))
    message = address.without_secrets(f"login of me with {SECRET} or c0nf%69dential failed")
    assert SECRET not in message
    assert "c0nf%69dential" not in message or "%69" not in url
    assert message.startswith("login of me with ***")


def test_short_passwords_are_removed_as_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "x")
    address = DatabaseAddress.of(TableSource(path="postgresql://host/db"))
    assert address.without_secrets("next: 'x' expected") == "next: '***' expected"
