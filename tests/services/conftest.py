from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.servers import Server, mysql_server, postgresql_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server for all tests, which use tables of their own."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_url(postgresql: Server) -> str:
    """The URL of its database, with user and password."""
    return postgresql.url


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    """A MariaDB server for all tests, which use tables of their own."""
    with mysql_server() as server:
        yield server


@pytest.fixture(scope="session")
def mysql_url(mysql: Server) -> str:
    """The URL of its database, with user and password."""
    return mysql.url
