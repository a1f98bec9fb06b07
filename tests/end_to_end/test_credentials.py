"""No password or token of a URL reaches an output, a log or a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.base.test_credentials import FORMS
from tests.cli.support import DATA, Cli
from tests.data.sources.remote.web_server import Site, web_server

SECRETS = ("hemligt-ord", "hemlig-nyckel")


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server() as site:
        site.files = {"/penguins.csv": (DATA / "penguins.csv").read_bytes()}
        yield site


def url_of(site: Site) -> str:
    return site.url(f"/penguins.csv?token={SECRETS[1]}", f"user:{SECRETS[0]}@")


def check_no_secret(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text], text


def check_no_secret_in(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in content], path
        check_no_secret(str(path))


def test_a_training_from_a_url_with_secrets_records_and_prints_none(site: Site, here: Path, nncli: Cli) -> None:
    url = url_of(site)
    options = ["--target", "species", "--set", "epochs=2", "--set", "members=2", "-v"]
    for words in (
        ["train", url, *options, "-o", "run", "--report"],
        ["train", url, *options, "--set", "members=1", "-o", "lines", "--json"],
        ["init", url, "--target", "species", "-o", "config.yaml"],
        ["init", url, "--target", "species", "--json"],
        ["check", url, "--target", "species"],
        ["predict", "run", url, "-o", "predictions.csv", "-v"],
        ["evaluate", "run", url, "-v"],
        ["show", "run"],
    ):
        outcome = nncli(*words).check()
        check_no_secret(outcome.out + outcome.err)
    assert len(site.requests) == 7  # each command but the last downloads the table once
    requests = [request for request in site.requests if SECRETS[1] in request.path and request.headers["Authorization"]]
    assert len(requests) == len(site.requests)
    check_no_secret_in(here)


def test_errors_about_a_url_with_secrets_show_none(site: Site, here: Path, nncli: Cli) -> None:
    url = url_of(site)
    site.faults = [lambda handler: handler.send_error(403)] * 99
    (here / "config.yaml").write_text(f"data: {{path: '{url}', target: species, no_such_key: 1}}\nlayers: [3\n")
    (here / "other.yaml").write_text(f"data: {{no_such_key: 1, path: {url}, target: species}}\n")
    (here / "run.yaml").write_text(f"data:\n  path: {url}\n  target: species\n")
    for words in (
        ["train", url, "--target", "species"],
        ["--debug", "train", url, "--target", "species"],
        ["train", url, "--resume", "run"],
        ["train", url, "--target", "species", "--set", f"data.path={url}", "--set", "x=1"],
        ["train", "config.yaml"],
        ["train", "other.yaml"],
        ["check", "other.yaml", "--json"],
        ["train", "run.yaml"],
        ["train", "run.yaml", "--set", f"data.path={url}"],
        ["train", "run.yaml", "--set", f"data={{path: '{url}'}}"],
        ["predict", "none", url],
        ["predict", "none", url.replace("http", "htps")],
        ["init", url.replace("csv", "docx"), "--target", "species"],
    ):
        outcome = nncli(*words)
        check_no_secret(outcome.out + outcome.err)
        assert outcome.code in (2, 3, 4, 5), (words, outcome)


def test_a_training_is_resumed_with_the_url_and_its_secrets(
    site: Site, here: Path, nncli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url_of(site)
    nncli("train", url, "--target", "species", "--set", "epochs=2", "--set", "members=1", "-o", "run").check()
    monkeypatch.setattr("nncli.base.credentials._full_urls", {})  # as in a new process
    site.faults = [lambda handler: handler.send_error(401)]
    refused = nncli("train", "--resume", "run", "--set", "epochs=4").check(4)
    assert "--set data.path=URL" in refused.err
    resumed = nncli("train", "--resume", "run", "--set", "epochs=4", "--set", f"data.path={url}").check()
    check_no_secret(resumed.out + resumed.err)
    check_no_secret_in(here)


@pytest.mark.parametrize("form", FORMS[::3])
def test_errors_about_a_mistyped_address_show_no_password(
    form: str, here: Path, nncli: Cli, penguins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.sources.database.database.WAITS", [])
    monkeypatch.setattr("nncli.data.sources.remote.remote_file.SECONDS_TO_CONNECT", 0.0)
    url, table = form.format(SECRETS[0]), DATA / "penguins.csv"
    (here / "config.yaml").write_text(f"data:\n  path: {json.dumps(url)}\n  target: species\n")
    (here / "wrong.yaml").write_text(f"data:\n  pth: {url}\n  target: {url}\n  password: {SECRETS[0]}\n")
    (here / "list.yaml").write_text(f"data: {{path: [{json.dumps(url)}], target: {json.dumps(url)}}}\n")
    before = {path: path.read_bytes() for path in here.iterdir()}
    for words in (
        ["head", url],
        ["head", table, "--sheet", url],
        ["head", url, "--json"],
        ["head", url, "--table", url, "-v"],
        ["--debug", "head", url],
        ["train", url, "--target", "species"],
        ["train", table, "--target", url],
        ["train", table, "--target", "species", "--set", f"data.path={url}"],
        ["train", table, "--target", "species", "--set", url],
        ["train", table, "--target", "species", f"--{url}"],
        ["train", "config.yaml"],
        ["train", "wrong.yaml"],
        ["train", "list.yaml"],
        ["check", "config.yaml"],
        ["check", "config.yaml", "--json"],
        ["check", "wrong.yaml"],
        ["check", url],
        ["init", url, "--target", "species"],
        ["init", table, "--target", url],
        ["predict", penguins, url],
        ["predict", url, table],
        ["predict", penguins, table, "-o", url, "--format", "docx"],
        ["evaluate", penguins, url],
        ["show", url],
        [url],
        ["train", table, "--target", "species", "-o", f"user:{SECRETS[0]}@h"],
        ["init", table, "--target", "species", "-o", f"user:{SECRETS[0]}@h.yaml"],
        ["predict", penguins, table, "-o", f"https:/user:{SECRETS[0]}@h/t.csv"],
    ):
        outcome = nncli(*words)
        check_no_secret(outcome.out + outcome.err)
        assert outcome.code in (1, 2, 3, 4, 5), (words, outcome)
        assert "internal error" not in outcome.err
    assert {path: path.read_bytes() for path in here.iterdir()} == before
