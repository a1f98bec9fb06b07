"""The page of a trace: one file that loads nothing, with the numbers of Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nncli import trace
from nncli.base.errors import UsageError
from nncli.nn.training.trace import MAX_NUMBERS

CONFIGS = Path(__file__).parents[2] / "configs"


def data_of(page: str) -> dict[str, dict[str, object]]:
    line = re.search(r"const page = (\{.*\});\n", page)
    assert line is not None
    return dict(json.loads(line[1]))


@pytest.mark.slow
def test_the_page_has_the_numbers_of_the_trace_and_loads_nothing(here: Path) -> None:
    result = trace(CONFIGS / "linear.yaml", set=["epochs=2"], html="page.html")
    page = Path("page.html").read_text("utf-8")
    data = data_of(page)
    assert data["trace"]["layers"] == result.as_json["layers"]
    assert data["trace"]["step"] == 1
    assert data["history"]["steps"] == 8
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)


def test_of_large_matrices_the_page_has_the_norms(here: Path) -> None:
    result = trace(CONFIGS / "penguins.yaml", set=["epochs=1"], html="page.html")
    page = Path("page.html").read_text("utf-8")
    layers = data_of(page)["trace"]["layers"]
    assert isinstance(layers, list)
    weight = result.step.layers[0].parameters[0]
    assert weight.values.size > MAX_NUMBERS
    assert layers[0]["parameters"][0]["values"] == {"norm": pytest.approx(weight.norm)}


def test_names_cannot_become_part_of_the_page(here: Path) -> None:
    name = "</script><script>alert(1)</script>"
    Path("table.csv").write_text(f"x,{name}\n" + "".join(f"{i},{i % 7}.5\n" for i in range(40)), "utf-8")
    trace("table.csv", target=name, set=["preset=textbook", "epochs=1"], html="page.html")
    page = Path("page.html").read_text("utf-8")
    assert page.count("<script") == page.count("</script") == 1
    assert data_of(page)["trace"]["targets"] == [name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["page.txt", "old.html"])
def test_a_page_is_an_html_file_and_replaces_none_unless_forced(here: Path, name: str) -> None:
    Path("old.html").write_text("old", "utf-8")
    with pytest.raises(UsageError):
        trace(CONFIGS / "linear.yaml", set=["epochs=1"], html=name)
    assert Path("old.html").read_text("utf-8") == "old"
    trace(CONFIGS / "linear.yaml", set=["epochs=1"], html="old.html", force=True)
    assert Path("old.html").read_text("utf-8") != "old"
