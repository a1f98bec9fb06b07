from __future__ import annotations

import re

from nncli.integrations.c.source_file import check_parts, parts, reserved_words, source_of, used_parts


def test_every_part_defines_something_or_is_the_title_of_a_file() -> None:
    untitled = [part.text for part in parts() if not part.defined and not part.text.startswith("/* ----")]
    assert untitled == []


def test_only_what_is_used_is_in_the_source() -> None:
    used = used_parts("return minimum(x, y);")
    assert [sorted(part.defined) for part in used] == [["minimum"]]
    assert source_of(used).startswith("/* ---- Operations")
    assert used_parts("return fabs(x);") == []


def test_what_a_part_uses_is_there_before_it() -> None:
    source = source_of(check_parts("parse_date(cell); parse_number(cell); category_of(cell);"))
    order = [source.index(f"{name}(") for name in ("next_character", "stripped", "parse_plain_number", "parse_number")]
    assert order == sorted(order)


def test_what_a_check_alone_uses_is_compiled_for_it_alone() -> None:
    used = used_parts("parse_date(cell);")
    of_check = check_parts("parse_date(cell);", without=used)
    assert "parse_plain_number" in {name for part in of_check for name in part.defined}
    assert re.search(r"#ifdef CHECK\n/\* Digits with a point[^#]*parse_plain_number", source_of(used, of_check))


def test_the_words_of_the_files_are_reserved() -> None:
    assert {"parse_number", "write_row", "output_header", "N_COLUMNS", "missing_values"} <= reserved_words()
