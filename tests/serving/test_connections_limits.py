"""The limits of connections."""

from __future__ import annotations

import pytest

from nncli.serving import connections
from nncli.serving.connections import HttpLimits, MemoryBudget
from nncli.serving.server_options import ServerOptions


@pytest.mark.parametrize(("files", "most"), [(None, 1000), (8192, 1000), (1024, 480), (64, 8)])
def test_connections_leave_room_for_other_files(files: int | None, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "limit_of_open_files", lambda: files)
    limits = HttpLimits.of(ServerOptions(max_body=1000, timeout=2.0))
    assert (limits.connections, limits.max_body, limits.timeout, limits.memory) == (most, 1000, 2.0, 4000)


def test_a_budget_takes_no_more_than_its_limit_but_counts_what_is_held() -> None:
    budget = MemoryBudget(10)
    assert budget.take(9)
    assert not budget.take(2)
    budget.hold(5)
    assert (budget.used, budget.is_exhausted) == (14, True)
    budget.hold(-14)
    assert (budget.used, budget.is_exhausted) == (0, False)
