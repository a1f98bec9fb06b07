from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

from nncli.serving.bodies.media_types import MediaType
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.served_model import ServedModel
from nncli.serving.pages.docs_page import docs_page, with_origin
from tests.serving.features import column_of

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=y>',
    "&amp;",
    "$title ${style}",
    "\0",
    "\u202e",
    "a" * 300,
    " ",
]


class _Reader(HTMLParser):
    """Takes down the elements, the texts and the attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.texts = list[str](), list[str]()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attributes

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_lists_endpoints_models_and_columns(models: Mapping[str, ServedModel]) -> None:
    page = _Reader(docs_page(list(models.values()), has_token=False))
    for model in models.values():
        assert {model.name, model.version} <= set(page.texts)
    assert {"/predict", "/models/MODEL/predict"} <= set(page.texts)
    assert {"/metrics", "/openapi.json", "/invocations"} <= set(page.texts)
    assert {feature.name for feature in models["number"].schema.features} <= set(page.texts)
    assert {"red", "Blue, dark", 'say "hi"'} <= set(page.texts)


def test_the_page_names_the_parameters_of_each_model_and_all_formats(models: Mapping[str, ServedModel]) -> None:
    number, two = (set(_Reader(docs_page([models[name]], has_token=False)).texts) for name in ("number", "two"))
    assert {"interval", "effects", *MediaType} <= number
    assert {"proba", "prediction_set", "conformity_score", "per_class", "effects"} <= two
    assert not {"proba", "prediction_set"} & number


def test_nothing_is_loaded_from_elsewhere(models: Mapping[str, ServedModel]) -> None:
    page = _Reader(docs_page(list(models.values()), has_token=False))
    assert not {"script", "img", "iframe", "form", "object"} & set(page.elements)
    links = [value or "" for name, value in page.attributes if name in ("href", "src")]
    assert links
    assert not [link for link in links if "//" in link]
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]


def test_a_server_with_a_token_has_no_link_that_would_need_it(models: Mapping[str, ServedModel]) -> None:
    for has_token, links in ((False, {"#endpoints", "openapi.json", "models/two/"}), (True, {"#endpoints"})):
        page = _Reader(docs_page([models["two"]], has_token=has_token))
        assert {value for name, value in page.attributes if name == "href" and value != "data:,"} == links
        assert "openapi.json" in page.texts


def test_hostile_names_stay_text(models: Mapping[str, ServedModel]) -> None:
    plain = _Reader(docs_page([models["two"]], has_token=False))
    features = tuple(column_of(name, "category", True, categories=(name,), typical=name) for name in HOSTILE)
    hostile = replace(models["two"], name=HOSTILE[0], schema=InputSchema(features))
    page = docs_page([hostile, models["two"]], has_token=True)
    result = _Reader(page)
    assert set(result.elements) <= set(plain.elements) | {"bdi"}
    assert set(HOSTILE[:4]) <= set(result.texts)
    assert "\u202e" not in page


def test_a_page_has_headings_in_order_and_tables_with_captions(models: Mapping[str, ServedModel]) -> None:
    page = _Reader(docs_page(list(models.values()), has_token=False))
    levels = [int(tag[1]) for tag in page.elements if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.elements.count("table") == page.elements.count("caption") == 2 * len(models) + 1
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert {value for name, value in page.attributes if name == "aria-labelledby"} <= set(ids)


def test_commands_name_the_server_that_was_asked(models: Mapping[str, ServedModel]) -> None:
    page = with_origin(docs_page([models["two"]], has_token=False), "http://example.org:81")
    assert "curl http://example.org:81/models/two/predict" in page
    assert "\0" not in page
