"""`nncli serve` on the command line: its options as the server gets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nncli.base.errors import UsageError
from nncli.cli.serve import run_and_name
from nncli.serving.server_options import ServerOptions
from tests.cli.support import Cli


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[tuple[str, Path]], ServerOptions]]:
    """What a server that does not start was asked for."""
    asked: list[tuple[Sequence[tuple[str, Path]], ServerOptions]] = []
    monkeypatch.setattr("nncli.serving.server.serve", lambda runs, options, quiet: asked.append((runs, options)))
    return asked


def test_the_defaults_are_those_of_the_server(
    nncli: Cli, served: list[tuple[Sequence[tuple[str, Path]], ServerOptions]]
) -> None:
    done = nncli("serve", "runs/penguins").check()
    assert served == [([("penguins", Path("runs/penguins"))], ServerOptions())]
    assert (done.out, done.err) == ("", "")


def test_every_option_reaches_the_server(
    nncli: Cli, here: Path, served: list[tuple[Sequence[tuple[str, Path]], ServerOptions]]
) -> None:
    token = here / "token.txt"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    words = "--host ::1 --port 0 --max-body 64KiB --max-rows 7 --timeout 2m --queue 3 --cors HTTPS://Example.org:443/"
    done = nncli(
        "serve", "a=first", "b", *words.split(), "--token-file", token, "--access-log", "--reuse-port", "--quiet"
    )
    done.check()
    ((runs, options),) = served
    assert runs == [("first", Path("a")), ("b", Path("b"))]
    assert (options.host, options.port, options.reuse_port) == ("::1", 0, True)
    assert (options.max_body, options.max_rows, options.timeout, options.queue) == (65536, 7, 120.0, 3)
    assert (options.cors, options.access_log) == ("https://example.org", True)
    assert options.token is not None
    assert options.token.matches(b"0123456789abcdef")


@pytest.mark.parametrize(
    "words",
    [
        ("--max-body", "auto"),
        ("--max-body", "0.5 B"),
        ("--max-body", "ten"),
        ("--max-rows", "0"),
        ("--timeout", "0s"),
        ("--timeout", "soon"),
        ("--queue", "0"),
        ("--port", "65536"),
        ("--host", ""),
        ("--host", "http://localhost"),
        ("--cors", "example.org"),
        ("--cors", "https://example.org/page"),
        ("--cors", "null"),
        ("--cors", "https://example.org\r\nx: y"),
        ("--token-file", "missing.txt"),
        ("other/a",),
        ("b=a",),
        ("b=x/y",),
        ("b=",),
        ("b=..",),
        ("/",),
    ],
)
def test_what_cannot_be_served_is_an_error_with_a_hint(
    nncli: Cli, here: Path, served: list[object], words: tuple[str, ...]
) -> None:
    done = nncli("serve", "a", *words).check(2)
    first, _, hint = done.err.partition("\n")
    assert first.startswith("nncli: ")
    assert hint.strip()
    assert served == []


def test_a_path_with_an_equals_sign_that_exists_is_a_run(here: Path) -> None:
    (here / "rate=0.1").mkdir()
    with pytest.raises(UsageError, match=r"rate=0\.1"):
        run_and_name("rate=0.1")
    assert run_and_name("rate=0.1=v2") == ("v2", Path("rate=0.1"))
    assert run_and_name("rate=0.2") == ("0.2", Path("rate"))
    assert run_and_name("a=b=c") == ("c", Path("a=b"))


def test_a_size_or_a_duration_may_be_a_number(
    nncli: Cli, served: list[tuple[Sequence[tuple[str, Path]], ServerOptions]]
) -> None:
    nncli("serve", "a", "--max-body", "500", "--timeout", "1.5").check()
    assert (served[0][1].max_body, served[0][1].timeout) == (500, 1.5)


def test_access_for_everyone_is_a_note(nncli: Cli, here: Path, served: list[object]) -> None:
    assert "--token-file" in nncli("serve", "a", "--host", "0.0.0.0").check().err
    (here / "token").write_text("0123456789abcdef")
    (here / "token").chmod(0o644)
    assert "chmod 600 token" in nncli("serve", "a", "--host", "0.0.0.0", "--token-file", "token").check().err
    (here / "token").chmod(0o600)
    assert nncli("serve", "a", "--host", "0.0.0.0", "--token-file", "token").check().err == ""
