"""The configuration of nginx: accepted by nginx, and a server behind it answers as without."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from nncli.serving.server_options import ServerOptions
from tests.cli.support import DATA
from tests.deploy.support import DEPLOY, SECONDS, program, started

TEXT = (DEPLOY / "nginx.conf").read_text("utf-8")
TOKEN = "0123456789abcdef"
HEADERS = {"Content-Type": "text/csv", "Authorization": f"Bearer {TOKEN}"}
ROWS = (DATA / "penguins-test.csv").read_bytes()


def value(name: str) -> str:
    (result,) = re.findall(rf"^\s*{name} (.+);", TEXT, re.MULTILINE)
    return str(result)


def test_limits_fit_those_of_the_server() -> None:
    assert int(value("client_max_body_size").removesuffix("m")) * 1e6 >= ServerOptions().max_body
    assert int(value("proxy_read_timeout").removesuffix("s")) > ServerOptions().timeout
    assert (value("proxy_http_version"), value("proxy_set_header Connection")) == ("1.1", '""')  # so is keepalive used


@pytest.fixture(scope="module")
def proxy(penguins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a proxy without TLS, and that of the server behind it."""
    nginx, folder = program("nginx"), tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    serve: list[str | Path] = [sys.executable, "-m", "nncli", "serve", penguins, "--port", "0"]
    with started([*serve, "--token-file", folder / "token"]) as (_, url):
        text = TEXT.replace("127.0.0.1:8000", url.removeprefix("http://"))
        text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port};", text)
        text = re.sub(r"ssl_certificate.*", "", text)
        paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        paths += f"client_body_temp_path {folder}/body;\n"
        text = f"pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
        (folder / "nginx.conf").write_text(text)
        command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        process = subprocess.Popen([*command, "-g", "daemon off; master_process off;"], stderr=subprocess.PIPE)
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}", url
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)
    shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


def post(url: str, body: bytes) -> HTTPResponse:
    request = Request(f"{url}/predict", body, {**HEADERS, "Host": "predict.example"})
    return urlopen(request, timeout=SECONDS)  # type: ignore[no-any-return]


def test_answers_are_those_of_the_server(proxy: tuple[str, str]) -> None:
    behind, direct = (post(url, ROWS).read() for url in proxy)
    assert behind == direct
    assert urlopen(f"{proxy[0]}/health/ready", timeout=SECONDS).status == 200


@pytest.mark.parametrize(("path", "body", "status"), [("predict", b"x" * 11_000_000, 413), ("metrics", None, 403)])
def test_what_is_refused(proxy: tuple[str, str], path: str, body: bytes | None, status: int) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{proxy[0]}/{path}", body, HEADERS), timeout=SECONDS)
    with refused.value as error:
        assert error.code == status
