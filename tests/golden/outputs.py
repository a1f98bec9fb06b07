"""What commands, exports and requests answer for every kind of target: python -m tests.golden.outputs records it anew.

For each kind a network and an ensemble of three are trained once and stored, as machines differ in the last bits of a
training. The commands run on the stored runs, on any machine, and what they print and write is compared with what is
recorded: words exactly, numbers to one in ten thousand. Refusals of options that a kind lacks are recorded as well.
A change that is meant is recorded anew, and the difference of the recorded files is reviewed with it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.base.errors import UsageError
from nncli.config.loading import load_config
from nncli.run_directory.manifest import CONFIG, Machine
from nncli.run_directory.run import Run
from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState
from nncli.version import __version__
from tests.cli.support import call
from tests.serving.asgi_client import AsgiClient

HERE = Path(__file__).parent / "kinds"
FEATURES = "features: [x1, x2, few]"
KINDS = {
    "two-classes": f"data: {{path: table.csv, target: two, {FEATURES}}}\ncalibration: temperature\n",
    "classes": f"data: {{path: table.csv, target: label, {FEATURES}}}\n",
    "ordered": (
        f"data: {{path: table.csv, target: grade, order: [low, mid, high], {FEATURES}}}\n"
        "loss: ordinal\ncalibration: temperature\n"
    ),
    "number": f"data: {{path: table.csv, target: y, {FEATURES}}}\n",
    "numbers": f"data: {{path: table.csv, target: [y, z], {FEATURES}}}\nloss: mse\n",
    "quantiles": f"data: {{path: table.csv, target: y, {FEATURES}}}\nloss: quantiles\n",
    "counts": f"data: {{path: table.csv, target: count, exposure: years, {FEATURES}}}\nloss: poisson\n",
    "distribution": f"data: {{path: table.csv, target: y, {FEATURES}}}\nloss: normal\n",
    "survival": f"data: {{path: table.csv, target: days, {FEATURES}}}\nloss: {{type: survival, event: died}}\n",
    "several": f"data: {{path: table.csv, target: [y, two], {FEATURES}}}\nloss: {{y: mse, two: cross_entropy}}\n",
    "labels": (
        f"data: {{path: table.csv, target: tags, {FEATURES}}}\nloss: binary_cross_entropy\ncalibration: temperature\n"
    ),
}
REST = "layers: [4]\nepochs: 4\nlearning_rate: 0.02\nseed: 3\nworkers: 1\n"
RUNS = {"network": "members: 1\nvalidation: 0.3\n", "ensemble": "members: 3\nbagging: folds\n"}
COMMANDS = (
    "predict RUN SOME",
    "predict RUN SOME --proba --format jsonl",
    "predict RUN SOME --interval 0.8",
    "predict RUN SOME --prediction-set 0.8",
    "predict RUN SOME --prediction-set 0.8 --per-class",
    "predict RUN SOME --at 2,5",
    "predict RUN SOME --flag-unusual --keep few",
    "predict RUN TABLE -o predictions.csv --profile profile.json",
    "evaluate RUN TABLE",
    "evaluate RUN TABLE --json",
    "evaluate RUN TABLE --interval 0.8 --json",
    "evaluate RUN TABLE --prediction-set 0.8 --json",
    "explain RUN TABLE",
    "explain RUN ROWS --json",
    "explain RUN ROWS --class yes --json",
    "explain RUN ROWS --target z --json",
    "drift RUN TABLE",
    "drift RUN profile.json --json",
    "threshold RUN --json",
    "threshold RUN --kappa",
    "threshold RUN --f1",
    "threshold RUN --recall 0.9 --save",
    "predict RUN ROWS",
    "threshold RUN --clear",
    "compare RUN OTHER",
    "compare RUN OTHER --data TABLE --json",
    "show RUN",
    "show RUN --json",
    "diagnose RUN --json",
    "report RUN -o report.html",
    "export RUN -o model.onnx --no-check",
    "export RUN -o model.js --no-check",
    "export RUN -o model.c --no-check",
    "export RUN -o model.py --no-check --interval 0.8",
    "export RUN -o model.py --no-check --labels",
    "export RUN -o model.html --no-check --proba",
)
REQUESTS = (
    "GET /openapi.json",
    "GET /",
    "GET /models",
    "POST /predict",
    "POST /predict?proba=true",
    "POST /predict?interval=0.8",
    "POST /predict?prediction_set=0.8",
    "POST /predict?effects=true",
    "POST /predict?at=2",
)
SHORT, BLOCK = 6_000, 50
"""Characters up to which a text is recorded as a whole, and numbers of a longer one that are recorded as one."""
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|\+\d\d:?\d\d)?|(?<=, )\d+\.\d s\b")
WEIGHTS = re.compile(r"[A-Za-z0-9+/=]{100,}")
"""Weights in an exported file, which have other last bits where the processor has other instructions."""


@dataclass(frozen=True)
class Text:
    """A text: its words, with # for each number, and its numbers; of a long one a hash, and sums of its numbers.

    The sums are of blocks, and weighted by place: the probabilities of a row add up to 1 whatever they are.
    """

    words: str
    numbers: tuple[float, ...]
    n_numbers: int

    @classmethod
    def of(cls, text: str) -> Text:
        """Take a text apart."""
        text = WEIGHTS.sub("WEIGHTS", TIMES.sub("TIME", text.replace(__version__, "VERSION")))
        numbers = [float(number) for number in NUMBER.findall(text)]
        words = NUMBER.sub("#", text)
        if len(text) <= SHORT:
            return cls(words, tuple(numbers), len(numbers))
        blocks = (numbers[start : start + BLOCK] for start in range(0, len(numbers), BLOCK))
        sums = (math.fsum(value * (1.0 + i / BLOCK) for i, value in enumerate(block)) for block in blocks)
        return cls(
            hashlib.sha256(words.encode()).hexdigest(), tuple(float(f"{each:.8g}") for each in sums), len(numbers)
        )

    def differs(self, other: Text) -> bool:
        """Whether words differ, or numbers by more than one in ten thousand."""
        alike = (self.words, self.n_numbers) == (other.words, other.n_numbers)
        return not alike or not np.allclose(self.numbers, other.numbers, rtol=1e-4, atol=1e-6, equal_nan=True)


Answers = dict[str, dict[str, Text]]
"""Of each command, its code, streams and files by name."""


def table() -> pl.DataFrame:
    """Features of several kinds, and a target of every kind."""
    rng = np.random.default_rng(11)
    n = 240
    x = rng.normal(size=(n, 2)).round(4)
    few = rng.integers(0, 3, n)
    score = x[:, 0] - x[:, 1] + 0.7 * (few - 1)
    noisy = score + 0.8 * rng.normal(size=n)
    years, times = rng.uniform(0.2, 4.0, n).round(3), (6.0 * rng.exponential(np.exp(-0.6 * score)) + 0.1).round(3)
    ends = rng.uniform(2.0, 20.0, n).round(3)
    tags = ["|".join(tag for tag, v in (("red", a), ("big", b)) if v > 0) for a, b in zip(noisy, x[:, 0], strict=True)]
    return pl.DataFrame(
        {
            "x1": [None if i % 19 == 0 else v for i, v in enumerate(x[:, 0].tolist())],
            "x2": x[:, 1],
            "few": ["abc"[c] for c in few],
            "two": ["yes" if v > 0.4 else "no" for v in noisy],
            "label": [["café", "007", "x y"][int(v > -0.5) + int(v > 1)] for v in noisy],
            "grade": [["low", "mid", "high"][int(v > -0.5) + int(v > 1)] for v in noisy],
            "y": noisy.round(4),
            "z": (500.0 + 100.0 * noisy).round(2),
            "count": rng.poisson(years * np.exp(0.4 * score)),
            "years": years,
            "days": np.minimum(times, ends),
            "died": (times <= ends).astype(int),
            "tags": tags,
        }
    )


def make_runs() -> None:
    """Train the runs that are not there."""
    HERE.mkdir(exist_ok=True)
    if not (HERE / "table.csv").exists():
        table().write_csv(HERE / "table.csv")
        table().head(25).write_csv(HERE / "some.csv")
        table().head(3).write_csv(HERE / "rows.csv")
    for name, text in KINDS.items():
        for form, members in RUNS.items():
            output = HERE / name / form
            if output.exists():
                continue
            with TemporaryDirectory() as folder:
                shutil.copy(HERE / "table.csv", folder)
                (Path(folder) / "c.yaml").write_text(text + members + REST)
                train(Path(folder) / "c.yaml", output=output)
            for left in [*output.rglob("checkpoints"), *output.rglob(".lock")]:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            for config in output.rglob(CONFIG):  # which machine made it, and where, is nobody's concern here
                run = Run.open(config.parent)
                run.save_config(load_config(config).model_copy(update={"output": "run"}))
                nowhere = Machine(system="any", processor="any", cores=1)
                run.save_manifest(run.load_manifest().model_copy(update={"machine": nowhere}))


def answers_of(name: str, form: str, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, Text]]]:
    """What each command and each request answers for a run, in a folder of its own."""
    with TemporaryDirectory() as scratch, patch.context() as here:
        folder = Path(scratch).resolve()
        here.chdir(folder)
        other = next(each for each in RUNS if each != form)
        for each in RUNS:
            shutil.copytree(HERE / name / each, folder / each)
        for file in ("table.csv", "some.csv", "rows.csv"):
            shutil.copy(HERE / file, folder)
        given = {"RUN": form, "OTHER": other, "TABLE": "table.csv", "SOME": "some.csv", "ROWS": "rows.csv"}
        for command in COMMANDS:
            before = {path for path in folder.iterdir() if path.is_file()}
            outcome = call(patch, *(given.get(word, word) for word in command.split()))
            assert "Traceback" not in outcome.err, (command, outcome.err)
            assert "internal error" not in outcome.err, (command, outcome.err)
            answer = {"code": str(outcome.code), "out": outcome.out, "err": outcome.err}
            for path in sorted({path for path in folder.iterdir() if path.is_file()} - before):
                content = path.read_bytes()
                answer[path.name] = content.decode() if path.suffix != ".onnx" else f"{len(content)} bytes"
                if path.name != "profile.json":
                    path.unlink()
            yield command, {key: Text.of(text.replace(str(folder), "FOLDER")) for key, text in answer.items()}
        try:
            yield from requests_of(folder / form)
        except UsageError as error:  # one target alone is served
            yield "serve RUN", {"err": Text.of(error.message.replace(str(folder), "FOLDER"))}


def requests_of(run: Path) -> Iterator[tuple[str, dict[str, Text]]]:
    """What a server of a run answers."""
    state = ServerState(ModelSlots([ModelSlot(run, ServedModel.load("m", run))]), ServerOptions())
    client, rows = AsgiClient(build_app(state)), pl.read_csv(HERE / "rows.csv").to_dicts()
    for request in REQUESTS:
        method, target = request.split()
        answer = client.get(target) if method == "GET" else client.post_json(target, {"rows": rows})
        yield request, {"code": Text.of(str(answer.status)), "out": Text.of(answer.body.decode())}
    state.batcher.close()


def recorded(name: str, form: str) -> Answers:
    """What is recorded of a run."""
    document: dict[str, dict[str, Any]] = json.loads((HERE / name / f"{form}.json").read_text("utf-8"))
    return {
        command: {key: Text(text["words"], tuple(text["numbers"]), text["n_numbers"]) for key, text in answer.items()}
        for command, answer in document.items()
    }


def main() -> None:
    """Record what all commands answer."""
    make_runs()
    with pytest.MonkeyPatch.context() as patch:
        for name in sys.argv[1:] or KINDS:
            for form in RUNS:
                found = {
                    command: {key: asdict(text) for key, text in answer.items()}
                    for command, answer in answers_of(name, form, patch)
                }
                lines = [
                    f" {json.dumps(command)}: {{\n"
                    + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in answer.items())
                    + "\n }"
                    for command, answer in found.items()
                ]
                (HERE / name / f"{form}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
                print(name, form)


if __name__ == "__main__":
    main()
