"""The text of docs/json.md: what `--json` of each command prints, from outputs of the commands themselves."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer

from nncli.base.errors import Location
from nncli.base.findings import FindingCode, warning
from nncli.cli.app import app
from nncli.cli.progress import json_events
from nncli.cli.progress.json_events import JsonLines, write_ensemble
from nncli.fitting.train.events import HealthWarning, TrackingStopped
from nncli.nn.training.loop import LearningRateHalved
from nncli.tuning.selected_ensemble import SelectedEnsemble

INTRODUCTION = """# JSON outputs and events

```sh
nncli train data/penguins-train.csv -t species --quality fast --set epochs=2 -o runs/penguins --json > events.jsonl
nncli evaluate runs/penguins data/penguins-test.csv --json > scores.json
python - <<'END'
import json
events = [json.loads(line) for line in open("events.jsonl")]
print([event["event"] for event in events])
print(events[-1]["run"], events[-1]["validation"]["metrics"]["log_loss"])
print(json.load(open("scores.json"))["metrics"]["accuracy"])
END
```

With `--json` a command prints one JSON object on standard output. `train`, `distill` and `tune` print one object per
line while they work, each with an `event`. Messages stay on standard error. Numbers that are unknown, infinite or NaN
are `null`.

Below, a word stands for a value of that type, `…` for more items of the same kind, and `?` follows a key that is not
always there. `null` alone is a value that the examples do not have. Later versions may add keys; a key is renamed or
removed only with a note in the [changelog](changelog.md). This page is generated from outputs of the commands by
`python docs/build.py`.
"""

EVENTS = """
## Events of a training

`train` and `distill` print `started`, `epoch` for each epoch of one network (before it `health` at the epochs that are
measured), or `members` about every half second for an ensemble, and `finished`.
"""

SEARCH = """
## Events of a search

`tune` prints `started`, `trial` after each trial, `progress` at most every ten seconds, and `finished`. The score of a
pruned trial is of the folds that it was trained on. With `--train` the events of that training follow, with
`--ensemble` the event `ensemble`.
"""

WHEN = {
    "learning_rate_halved": "the loss is not finite, and `on_divergence: halve_learning_rate` goes back to the last "
    "good epoch",
    "health_warning": "something is clearly wrong with the layers of the network, see [diagnose](howto/diagnose.md)",
    "scored_training": "a distilled network is trained a second time, without the validation rows, for the scores",
    "tracking_stopped": "a [tracker](howto/track.md) has failed; the training goes on",
}
"""The events that are rare, and when they occur."""

TRAIN = "train data/penguins-train.csv -o"
PREPARATION = (
    f"{TRAIN} runs/mass -t body_mass_g --set preset=textbook",
    f"{TRAIN} runs/sex -t sex --set preset=textbook",
    f"{TRAIN} runs/quick -t species --set preset=textbook --set epochs=2",
    f"{TRAIN} runs/ensemble -t sex --quality fast --set members=2 --set workers=1",
    "train times.csv -o runs/times -t months --set preset=textbook --set loss.type=survival --set loss.event=left",
)
"""Commands that leave the runs of the examples."""
EXAMPLES = {
    "train": (
        f"{TRAIN} runs/network -t species --set preset=textbook",
        f"{TRAIN} runs/members -t species --quality fast --set members=2 --set workers=1",
    ),
    "distill": ("distill runs/ensemble -o runs/student --units 4",),
    "tune": (
        "tune data/penguins-train.csv -t species --set preset=textbook --search learning_rate=1e-3..1e-1:log "
        "--trials 2 --folds 2 --workers 1",
    ),
    "head": ("head data/penguins.csv -n 1",),
    "init": ("init data/penguins.csv -t species",),
    "check": ("check data/penguins.csv -t species", "check data/penguins.csv -t species --set tune.trials=3"),
    "trace": ("trace data/penguins.csv -t species --set preset=textbook --set layers=[2] --set batch_size=4",),
    "cross-validate": ("cross-validate data/penguins.csv -t species --set preset=textbook --folds 2 --set workers=1",),
    "evaluate": (
        "evaluate runs/mass data/penguins-test.csv --interval 0.9",
        "evaluate runs/network data/penguins-test.csv --prediction-set 0.9",
        "evaluate runs/times times.csv --interval 0.5",
    ),
    "threshold": ("threshold runs/sex", "threshold runs/sex --cost fp=1,fn=5"),
    "drift": ("drift runs/network data/penguins-test.csv", "drift runs/network data/penguins-test.csv --every 40"),
    "explain": ("explain runs/network --top 7", "explain runs/mass data/penguins-test.csv", "explain runs/sex row.csv"),
    "diagnose": ("diagnose runs/network", "diagnose runs/quick --rates --try"),
    "report": ("report runs/network",),
    "export": ("export runs/network -o network.py",),
    "track": ("track runs/network --to tensorboard",),
    "runs": ("runs",),
    "share": ("share runs/network -o network.zip",),
    "show": ("show runs/network", "show runs/members"),
    "compare": ("compare runs/sex runs/ensemble",),
    "reproduce": ("reproduce runs/network",),
    "plugins": ("plugins",),
}
"""Commands whose outputs are described, by the name of their command."""


@dataclass(frozen=True)
class Word:
    """A type of values, or the name of an object that is described elsewhere."""

    name: str


@dataclass(frozen=True)
class Choice:
    """Several shapes of one value."""

    shapes: tuple[Any, ...]


class Optional(str):
    """A key that is not always there."""


ALWAYS: dict[str, Any] = {
    **{key: [Word("text")] for key in ("notes", "warnings", "problems")},
    "findings": [Word("finding")],
    "parts": [],
    "location": {},
}
"""The shapes of keys whose values are lists that are often empty, or too many for the page."""
SCORES = {"log_loss", "rmse", "concordance"}
FINDING = {"level", "code", "message"}


def json_outputs() -> str:
    """The text of docs/json.md."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    having = {name for name in group.list_commands(context) if _has_json(group.get_command(context, name))}
    if having != set(EXAMPLES):
        raise AssertionError(f"an example is missing or superfluous: {having ^ set(EXAMPLES)}")
    json_events.SECONDS_BETWEEN_LINES = 0.0  # so that the example has each kind of event
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(Path(__file__).parent.parent / "data", Path(folder) / "data")
        first_row = (Path(folder) / "data/penguins-test.csv").read_text().splitlines()[:2]
        (Path(folder) / "row.csv").write_text("\n".join(first_row))
        times = [f"{i % 7},{1 + i * 37 % 50},{'yes' if i % 3 else 'no'}" for i in range(100)]
        (Path(folder) / "times.csv").write_text("\n".join(["x,months,left", *times]))
        with contextlib.chdir(folder), _environment(NNCLI_EPOCHS="2", NNCLI_DEBUG="1", COLUMNS="100"):
            for line in PREPARATION:
                _run(line)
            printed = {name: [_run(f"{line} --json") for line in lines] for name, lines in EXAMPLES.items()}
    parts = [INTRODUCTION, *_recurring(printed), EVENTS, *_events(printed["train"] + printed["distill"], _rare())]
    parts += [SEARCH, *_events(printed["tune"], [_selected()])]
    for name, outputs in printed.items():
        if name not in ("train", "distill", "tune"):
            shape = merged(_shape(document) for (document,) in outputs)
            parts.append(f"\n## nncli {name}\n\n```text\n{rendered(shape)}\n```\n")
    return "".join(parts)


def _has_json(command: Any) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


@contextlib.contextmanager
def _environment(**variables: str) -> Any:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _run(line: str) -> list[Any]:
    """The JSON objects that a command prints."""
    return _printed(lambda: app(line.split(), standalone_mode=False))


def _printed(call: Callable[[], object]) -> list[Any]:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        call()
    out.seek(0)
    return [json.loads(text) for text in out.read().splitlines() if text.startswith("{")]


def _rare() -> list[Any]:
    finding = warning(FindingCode.TRACKING, "")
    lines = JsonLines()
    rare = (LearningRateHalved(1, 1, 0.5, ""), HealthWarning(finding), TrackingStopped(finding))
    return [lines._object(event) for event in rare]


def _selected() -> Any:
    ensemble = SelectedEnsemble(Path("run"), ((0, 1),), "", 0.5, 0.5, 0, 0.5)
    return _printed(lambda: write_ensemble(ensemble))[0]


def _recurring(printed: Mapping[str, list[Any]]) -> Iterable[str]:
    """The objects that are parts of many others."""
    yield "\n## Findings and scores\n\nA *finding* has a [code](commands.md#codes-of-findings). *Scores* are by metric;"
    yield "\nthose of classes, of one number and of a time:\n"
    findings: list[Any] = []
    scores: dict[str, Any] = {}
    _collect(list(printed.values()), findings, scores)
    findings.append({**warning(FindingCode.TRACKING, "").as_json, "excerpt": ""})
    ALWAYS["location"] = {
        Optional(field.name): Word("integer" if "int" in str(field.type) else "text") for field in fields(Location)
    }
    finding = merged(_shape(example, top=True) for example in findings)
    for shape in (finding, *(_shape(example, top=True) for example in scores.values())):
        yield f"\n```text\n{rendered(shape)}\n```\n"


def _collect(value: Any, findings: list[Any], scores: dict[str, Any]) -> None:
    if isinstance(value, dict):
        if set(value) >= FINDING:
            findings.append(value)
        for metric in SCORES & set(value):
            if isinstance(value[metric], float):
                scores.setdefault(metric, value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _collect(item, findings, scores)


def _events(outputs: list[list[Any]], more: list[Any]) -> Iterable[str]:
    """Each kind of event with its shape."""
    kinds: dict[str, list[Any]] = {}
    for event in [*(event for events in outputs for event in events), *more]:
        shape = {key: value for key, value in event.items() if key != "event"}
        name = event["event"]
        if name == "started":
            name = "started, of an ensemble" if "members" in event else "started, of one network"
            name = "started" if "search" in event else name
        kinds.setdefault(name, []).append(_shape(shape))
    for name, shapes in kinds.items():
        when = f":\n{WHEN[name]}" if name in WHEN else ""
        yield f"\n**{name}**{when}\n\n```text\n{rendered(merged(shapes))}\n```\n"


def _shape(value: Any, *, top: bool = False) -> Any:
    """The shape of a JSON value; objects that are parts of many others are named."""
    if isinstance(value, dict):
        if not top and set(value) >= FINDING:
            return Word("finding")
        if not top and any(isinstance(value.get(metric), float) for metric in SCORES):
            return Word("scores")
        return {key: ALWAYS[key] if key in ALWAYS else _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [merged(map(_shape, value))] if value else []
    names = {bool: "boolean", int: "integer", float: "number", str: "text", type(None): "null"}
    return Word(names[type(value)])


def merged(shapes: Iterable[Any]) -> Any:
    """One shape for values of several."""
    first, *others = shapes
    for other in others:
        first = _merge(first, other)
    return first


def _merge(a: Any, b: Any) -> Any:
    if a == b:
        return a
    if isinstance(a, dict) and isinstance(b, dict):
        keys = dict.fromkeys([*map(str, a), *map(str, b)])
        always = {str(key) for key in a if not isinstance(key, Optional)}
        always &= {str(key) for key in b if not isinstance(key, Optional)}
        return {
            key if key in always else Optional(key): _merge(a[key], b[key])
            if key in a and key in b
            else {**a, **b}[key]
            for key in keys
        }
    if isinstance(a, list) and isinstance(b, list):
        return [_merge(a[0], b[0])] if a and b else a or b
    numbers = (Word("integer"), Word("number"))
    if a in numbers and b in numbers:
        return Word("number")
    choices: list[Any] = []
    for shape in [*_choices(a), *_choices(b)]:
        same = next((i for i, choice in enumerate(choices) if _alike(choice, shape)), None)
        if same is None:
            choices.append(shape)
        else:
            choices[same] = _merge(choices[same], shape)
    choices.sort(key=lambda choice: choice == Word("null"))
    return choices[0] if len(choices) == 1 else Choice(tuple(choices))


def _alike(a: Any, b: Any) -> bool:
    numbers = (Word("integer"), Word("number"))
    return a == b or (type(a) is type(b) and isinstance(a, dict | list)) or (a in numbers and b in numbers)


def _choices(shape: Any) -> tuple[Any, ...]:
    return shape.shapes if isinstance(shape, Choice) else (shape,)


WIDTH = 100


def rendered(shape: Any, indent: str = "") -> str:
    """A shape as text, an object on one line if it fits."""
    if isinstance(shape, Word):
        return shape.name
    if isinstance(shape, Choice):
        return " | ".join(rendered(choice, indent) for choice in shape.shapes)
    if isinstance(shape, list):
        return f"[{rendered(shape[0], indent)}, …]" if shape else "[…]"
    inner = f"{indent}  "
    lines = [
        f'"{key}"{"?" if isinstance(key, Optional) else ""}: {rendered(item, inner)}' for key, item in shape.items()
    ]
    line = f"{{{', '.join(lines)}}}"
    if "\n" not in line and len(indent) + len(line) <= WIDTH:
        return line
    # several short keys stand on one line
    rows: list[str] = []
    for text in lines:
        if rows and "\n" not in text and "\n" not in rows[-1] and len(inner) + len(rows[-1]) + len(text) + 3 <= WIDTH:
            rows[-1] += f", {text}"
        else:
            rows.append(text)
    return "{\n" + ",\n".join(f"{inner}{row}" for row in rows) + f"\n{indent}}}"
