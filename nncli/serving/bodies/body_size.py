"""How large a body is once it is decompressed, added up before it is."""

from __future__ import annotations

from dataclasses import dataclass

from nncli.serving.problems.problem import ProblemError, bad_request, too_large


@dataclass(frozen=True)
class BodyLimits:
    """The most bytes of a body, also once it is decompressed, and the most rows."""

    max_body: int
    max_rows: int


@dataclass
class BodySize:
    """The decompressed bytes and the rows of a body so far, and what is allowed."""

    limits: BodyLimits
    n_bytes: int = 0
    rows: int = 0

    def add_bytes(self, n_bytes: int) -> None:
        """Raise a ProblemError if there are too many bytes together."""
        self.n_bytes += max(n_bytes, 0)
        if self.n_bytes > self.limits.max_body:
            raise too_many_bytes(self.limits.max_body)

    def add_rows(self, rows: int) -> None:
        """Raise a ProblemError if there are too many rows together."""
        self.rows += max(rows, 0)
        if self.rows > self.limits.max_rows:
            raise too_many_rows(self.rows, self.limits.max_rows)

    def check_items(self, items: int) -> None:
        """Raise a ProblemError if a column says that it has more items than the rows and bytes can hold."""
        if items > self.limits.max_rows + 8 * self.n_bytes:
            raise bad_request(f"a column has {items:,} items, more than the body can hold")


def too_many_bytes(max_body: int) -> ProblemError:
    """The problem that a body is too large once it is decompressed."""
    detail = f"the body has more than {max_body:,} bytes when it is decompressed"
    return too_large(detail, "Send several requests of fewer rows.")


def too_many_rows(rows: int, max_rows: int) -> ProblemError:
    """The problem that a request has too many rows."""
    detail = f"the body has {rows:,} rows, and a request at most {max_rows:,}"
    return too_large(detail, f"Send several requests of at most {max_rows:,} rows.")


def check_rows(rows: int, max_rows: int) -> None:
    """Raise a ProblemError if a request has no rows, or too many."""
    if not rows:
        raise bad_request("the body has no rows", "Send at least one row.")
    if rows > max_rows:
        raise too_many_rows(rows, max_rows)
