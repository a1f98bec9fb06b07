"""An issue of a search space is where its cause is written."""

from __future__ import annotations

from nncli.base.errors import ConfigIssue, Location
from nncli.config.yaml.document import Document
from nncli.tuning.space.build_space import IssueLocator
from tests.tuning.spaces import FIRST_LINE, loaded, space_of

SEARCH = "optimizer: {choices: [adam, {type: sgd, momentum: 0.5}]}"


def locator() -> tuple[IssueLocator, Document]:
    document = loaded(SEARCH).document
    return IssueLocator(document, space_of(SEARCH).parameters), document


def test_an_issue_of_a_key_inside_a_choice_is_at_the_key() -> None:
    locate, document = locator()
    (parameter,) = locate.written
    issue = ConfigIssue("wrong", Location("tuned", key="optimizer.momentum"))
    located = locate.located(issue, parameter, parameter.choice_spans[1])
    assert (located.location.line, located.location.character) == (FIRST_LINE + 1, 45)
    assert located.location.source == document.source
    assert located.excerpt is not None


def test_an_issue_of_the_whole_choice_is_at_the_choice() -> None:
    locate, _ = locator()
    (parameter,) = locate.written
    issue = ConfigIssue("wrong", Location("tuned", key="optimizer"))
    assert locate.located(issue, parameter, parameter.choice_spans[1]).location.character == 33
    assert locate.error(parameter, "wrong").issues[0].location.character == 5
