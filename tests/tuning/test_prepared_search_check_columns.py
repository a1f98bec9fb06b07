"""A choice of features that the table does not have is a mistake on its line."""

from __future__ import annotations

import pytest

from nncli.base.errors import ConfigError
from nncli.tuning.prepared_search import check_columns
from nncli.tuning.space.build_space import build_space
from tests.tuning.spaces import FIRST_LINE, loaded

NAMES = ("age", "income", "y")


def checked(search: str) -> list[tuple[int | None, int | None, str | None]]:
    """The places of the issues of a search space."""
    configuration = loaded(search)
    assert configuration.tune is not None
    with pytest.raises(ConfigError) as caught:
        check_columns(configuration, build_space(configuration, configuration.tune), NAMES)
    assert all(issue.excerpt and issue.hint for issue in caught.value.issues)
    return [(at.line, at.character, at.key) for at in (issue.location for issue in caught.value.issues)]


def test_each_choice_with_an_unknown_column_is_an_issue() -> None:
    line = FIRST_LINE + 1
    assert checked("data.features: {choices: [[age], [age, incom], [z, z2]]}") == [
        (line, 38, "data.features"),
        (line, 52, "data.features"),
    ]
    assert checked("data.drop: {choices: [[], [agee]]}") == [(line, 31, "data.drop")]
    assert checked("data.drop: {choices: [[], [{choices: [age, agee]}]]}") == [(line, 48, "data.drop.0")]


def test_columns_of_the_table_and_other_keys_are_no_mistakes() -> None:
    configuration = loaded("data.features: {choices: [[age], [age, income]]}\nactivation: {choices: [relu, tanh]}")
    assert configuration.tune is not None
    check_columns(configuration, build_space(configuration, configuration.tune), NAMES)
