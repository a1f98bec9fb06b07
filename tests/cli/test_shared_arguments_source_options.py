from __future__ import annotations

import pytest
import yaml

from nncli.api.options import SourceOptions
from nncli.base.errors import UsageError


def test_no_path_is_standard_input() -> None:
    assert SourceOptions().source(None).is_standard_input


def test_a_table_and_a_query_exclude_each_other() -> None:
    with pytest.raises(UsageError):
        SourceOptions(table="t", query="SELECT 1").source("sqlite:///t.db")


def test_assignments_keep_the_text_of_the_options() -> None:
    query = 'SELECT "a: b", \'#\' FROM t -- "é"\n'
    assignments = SourceOptions(sheet="2024", range="B4:H200", query=query).source_assignments
    values = {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in assignments)}
    assert values == {"data.sheet": "2024", "data.range": "B4:H200", "data.query": query}


def test_words_repeat_the_options_that_were_given() -> None:
    assert SourceOptions(sheet="May", table="t").words == ["--sheet", "May", "--table", "t"]
