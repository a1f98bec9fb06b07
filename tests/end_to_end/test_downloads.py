"""Commands read a table of a server once, and a download that fails leaves nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nncli.data.sources.remote import remote_file as retries
from tests.cli.support import DATA, Cli
from tests.data.sources.remote.web_server import Site, cut, web_server

TABLE = (DATA / "penguins.csv").read_bytes()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(retries, "FIRST_DELAY", 0.005)
    monkeypatch.setattr(retries, "SECONDS", 0.1)
    with web_server() as site:
        site.files = {"/penguins.csv": TABLE}
        yield site


@pytest.fixture(autouse=True)
def temporary(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the system for temporary files."""
    folder = here / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("train", "URL", "--target", "species", "--set", "epochs=1", "--set", "members=1", "-o", "new"),
        ("init", "URL", "--target", "species", "-o", "config.yaml"),
        ("check", "URL", "--target", "species"),
        ("predict", "RUN", "URL", "-o", "answers.csv"),
        ("evaluate", "RUN", "URL"),
        ("explain", "RUN", "URL"),
        ("head", "URL"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_downloads_the_table_once_or_leaves_nothing(
    site: Site, here: Path, temporary: Path, nncli: Cli, penguins: Path, words: tuple[str, ...]
) -> None:
    def call(fails: bool) -> None:
        site.faults = [cut(TABLE, 1000)] * 99 if fails else []
        words_here = [{"URL": site.url("/penguins.csv"), "RUN": str(penguins)}.get(word, word) for word in words]
        nncli(*words_here).check(4 if fails else 0)

    call(fails=True)
    assert [*here.iterdir()] == [temporary]
    site.requests.clear()
    call(fails=False)
    assert len(site.requests) == 1
    assert not [*temporary.iterdir()]
