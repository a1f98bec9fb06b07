"""A kind of target that is added as docs/extending.md says: every room takes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.test_extending import BLOCK, ROOT, SECTIONS, UNFINISHED, apply

SCRIPT = """
import json, socket, subprocess, sys, time, urllib.request
from pathlib import Path

import numpy as np
import polars as pl

from nncli import load, train

nncli = [sys.executable, "-W", "error", "-m", "nncli"]
rng = np.random.default_rng(0)
a = rng.random(200)
pl.DataFrame({"a": a, "y": rng.poisson(np.exp(2 * a))}).write_csv("visits.csv")
for name, members in (("one", 1), ("several", 3)):
    Path(f"{name}.yaml").write_text(
        f"data: {{path: visits.csv, target: y}}\\nlayers: [4]\\nloss: counts\\nepochs: 9\\nmembers: {members}\\n"
    )
    train(f"{name}.yaml", output=f"runs/{name}")
    model = load(f"runs/{name}")
    found = model.predict("visits.csv", interval=0.8)
    assert found.columns == ["prediction", "lower_80", "upper_80"]
    assert found["prediction"].to_list() == found["prediction"].round().to_list()
    assert model.model.spec.target.task == "count"


def run(*arguments):
    return subprocess.run([*nncli, *arguments], check=True, capture_output=True, text=True).stdout


assert json.loads(run("evaluate", "runs/several", "visits.csv", "--json"))["metrics"]["rmse"] > 0.0
assert "a" in run("explain", "runs/several")
run("report", "runs/several")
run("distill", "runs/several", "-o", "runs/student", "--set", "epochs=2")
run("drift", "runs/one", "visits.csv")
for target in ("onnx", "js", "c", "python"):
    run("export", "runs/several", "--to", target, "-o", f"model.{target}")
run("export", "runs/several", "--to", "html", "--no-check", "-o", "model.html")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = subprocess.Popen([*nncli, "serve", "runs/several", "--port", str(port)], stderr=subprocess.DEVNULL)
try:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready").close()
            break
        except OSError:
            time.sleep(0.1)
    for page in ("/", "/docs", "/openapi.json"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}{page}").close()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict?interval=0.8&effects=true",
        json.dumps({"a": 0.9}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        row = json.load(answer)
    assert row["prediction"] == round(row["prediction"]) > 0
    assert row["lower_80"] < row["prediction"] < row["upper_80"]
finally:
    server.terminate()
    server.wait()
"""


def test_another_kind_is_trained_scored_explained_exported_and_served(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "nncli", tmp_path / "nncli", ignore=UNFINISHED)
    for kind, name, anchor, code in (block.groups() for block in BLOCK.finditer(SECTIONS["A kind of target"])):
        apply(kind, tmp_path / name, anchor, code)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
