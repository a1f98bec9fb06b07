from __future__ import annotations

import pytest
import yaml

from nncli.cli.source_options import source_assignments, source_of, source_words
from nncli.errors import UsageError


def test_no_path_is_standard_input() -> None:
    assert source_of(None, None, None, None, None).is_standard_input


def test_a_table_and_a_query_exclude_each_other() -> None:
    with pytest.raises(UsageError):
        source_of("sqlite:///t.db", None, None, "t", "SELECT 1")


def test_assignments_keep_the_text_of_the_options() -> None:
    query = 'SELECT "a: b", \'#\' FROM t -- "é"\n'
    assignments = source_assignments("2024", "B4:H200", None, query)
    values = {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in assignments)}
    assert values == {"data.sheet": "2024", "data.range": "B4:H200", "data.query": query}


def test_words_repeat_the_options_that_were_given() -> None:
    assert source_words("May", None, "t", None) == ["--sheet", "May", "--table", "t"]
