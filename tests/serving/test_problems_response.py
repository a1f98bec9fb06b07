from __future__ import annotations

import json
from http import HTTPStatus

from nncli.serving.problems import Problem, problem_response


def test_the_answer_has_the_members_of_rfc_9457_and_what_is_known() -> None:
    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "it is not a number", "Send one.", 2, "x", "ä", retry_after=3)
    answer = problem_response(problem, "/predict")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.headers["retry-after"] == "3"
    assert json.loads(bytes(answer.body)) == {
        "title": HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
        "status": 422,
        "detail": "it is not a number",
        "row": 2,
        "column": "x",
        "value": "ä",
        "hint": "Send one.",
    }
