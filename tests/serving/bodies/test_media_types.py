from __future__ import annotations

import pytest

from nncli.serving.bodies.media_types import NAMES, ContentType, MediaType, negotiate, parse_content_type
from nncli.serving.problems import ProblemError

CSV = ContentType(MediaType.CSV, "text/csv")


@pytest.mark.parametrize(
    ("header", "media_type", "charset"),
    [
        (None, MediaType.JSON, "auto"),
        ("", MediaType.JSON, "auto"),
        ("application/json; charset=utf-8", MediaType.JSON, "utf-8"),
        ("Application/JSON;charset=UTF-8", MediaType.JSON, "utf-8"),
        ("text/csv", MediaType.CSV, "auto"),
        ('text/csv; header=present; charset="latin-1"', MediaType.CSV, "latin-1"),
        ("text/csv; charset", MediaType.CSV, "auto"),
        ("text/tab-separated-values; charset=cp1252", MediaType.TSV, "cp1252"),
        *((name, media_type, "auto") for name, media_type in NAMES.items()),
    ],
)
def test_content_types_are_read(header: str | None, media_type: MediaType, charset: str) -> None:
    result = parse_content_type(header)
    assert (result.media_type, result.charset) == (media_type, charset)


def test_a_content_type_may_say_what_quotes_are() -> None:
    assert parse_content_type('text/csv; Quote="none"').quote == "none"
    assert parse_content_type("text/csv").quote == "auto"


@pytest.mark.parametrize(
    ("header", "mentions"),
    [
        ("text/html", "text/csv"),
        ("aplication/json", "application/json"),
        ("application/json; charset=utf-16", "UTF-8"),
        ("text/csv; charset=klingon", "latin-1"),
        ("text/csv; quote=single", "quote=none"),
        (";;", "text/csv"),
        ("*/*", "text/csv"),
        ("application/vnd.apache.parquet", "text/csv"),
        ("application/x-parquet", "text/csv"),
        ("application/vnd.apache.arrow.stream", "application/json"),
        ("application/vnd.apache.arrow.file", "application/jsonl"),
    ],
)
def test_other_content_types_are_refused_with_those_supported(header: str, mentions: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_content_type(header)
    assert caught.value.problem.status == 415
    assert mentions in str(caught.value.problem.hint)


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, "text/csv"),
        ("", "text/csv"),
        ("*/*", "text/csv"),
        ("application/json", "application/json"),
        ("application/json;q=0.5, */*;q=0.1", "application/json"),
        ("text/*, application/json", "text/csv"),
        ("text/*;q=0.5, application/json", "application/json"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("image/png, TEXT/CSV ; Q=0.2", "text/csv"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "text/csv"),
        ("application/vnd.apache.parquet;q=nonsense", "application/vnd.apache.parquet"),
    ],
)
def test_the_answer_has_the_preferred_format(accept: str | None, name: str) -> None:
    assert negotiate(accept, CSV).name == name


@pytest.mark.parametrize("accept", ["image/png", "text/html", "*/*;q=0", "application/json;q=0", ",,;", "json"])
def test_no_acceptable_format_is_refused_with_those_supported(accept: str) -> None:
    with pytest.raises(ProblemError) as caught:
        negotiate(accept, CSV)
    assert caught.value.problem.status == 406
    assert "application/json" in str(caught.value.problem.hint)
