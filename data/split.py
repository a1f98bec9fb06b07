"""Split the penguins into penguins-train.csv and penguins-test.csv: python data/split.py [--check].

A quarter of each species is kept apart for testing: the rows whose SHA-256 is smallest, which is as good as at random
and the same everywhere. Both files keep the order of penguins.csv.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import defaultdict
from pathlib import Path

DATA = Path(__file__).parent
TEST_SHARE = 0.25


def split(table: str) -> tuple[str, str]:
    """The training and the test table of a CSV whose first column is the class."""
    header, *rows = table.splitlines(keepends=True)
    by_class = defaultdict(list)
    for row in rows:
        by_class[row.partition(",")[0]].append(row)
    test: set[str] = set()
    for members in by_class.values():
        ordered = sorted(members, key=lambda row: hashlib.sha256(row.encode()).digest())
        test |= set(ordered[: round(len(ordered) * TEST_SHARE)])
    kept = (row for row in rows if row not in test)
    return "".join([header, *kept]), "".join([header, *(row for row in rows if row in test)])


def main() -> None:
    """Write the two files; with --check, fail if they are not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if the files are not current")
    check = parser.parse_args().check
    parts = split((DATA / "penguins.csv").read_text("utf-8"))
    for name, text in zip(("penguins-train.csv", "penguins-test.csv"), parts, strict=True):
        path = DATA / name
        if not check:
            path.write_text(text, "utf-8", newline="\n")
        elif not path.exists() or path.read_text("utf-8") != text:
            sys.exit(f"{path.name} is not current: run python data/split.py")


if __name__ == "__main__":
    main()
