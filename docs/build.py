"""Generate the parts of docs/ that follow from the code: python docs/build.py [--check]."""

from __future__ import annotations

import argparse
import inspect
import io
import json
import re
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from commands import commands
from json_outputs import json_outputs
from pictures import PICTURES
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from python_api import python_api
from rooms import picture, tree

from nncli.base.findings import FindingCode
from nncli.cli.app import app
from nncli.config import schema
from nncli.config.json_schema import json_schema
from nncli.config.schema.tune import ConfigFile, Domain, TuneFile, TuneSection
from nncli.config.schema_file import SCHEMA
from nncli.config.yaml.writer import dump
from nncli.data.encoders.encoding_options import CategoricalOptions
from nncli.fitting.checks.training_rules import RULES
from nncli.nn.activations import Activation
from nncli.nn.initializers import Initializer
from nncli.nn.layers.residual import Layer
from nncli.nn.losses import Loss
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.nn.optim.optimizers import Optimizer
from nncli.nn.optim.schedules import Schedule
from nncli.run_directory.disclosure import CELLS, FILES, Content

DOCS = Path(__file__).parent

INTRODUCTION = """# Configuration

To write a configuration for a table, and to see where each value of one comes from:

    nncli init data/penguins-train.csv --target species -o penguins.yaml
    nncli config show penguins.yaml --set epochs=10

A configuration is a YAML file. Only `data.path` and `data.target` are required. `--set` overrides any key on the
command line: `--set epochs=10`, `--set optimizer.type=adam`, `--set layers=64,64`. `+=` adds to a list:
`--set data.drop+=region`, for which `--drop region` is short. An option without further settings can be given by its
name: `optimizer: adam` is `optimizer: {type: adam}`.

Order of precedence, lowest first: defaults, preset, file, environment variables, `--set`. An environment variable is
`NNCLI_` and the key in capitals, with two underscores before a key inside a section: `NNCLI_EPOCHS=10`,
`NNCLI_OPTIMIZER__TYPE=adam`, `NNCLI_LAYERS='[64, 64]'`. An empty variable is ignored, and so are the variables that
Kubernetes sets for a service called nncli (`NNCLI_PORT`, `NNCLI_SERVICE_HOST`), with a note. Any other variable that
starts with `NNCLI_` and matches no key is an error. Environment variables apply to the first training of a
configuration; resuming, evaluating and predicting read the `config.yaml` of the run.

`nncli config schema` prints the keys as [JSON Schema](config.schema.json), for editors and other tools. nncli also
checks rules that involve several keys. This page is generated from the code by `python docs/build.py`.
"""

SEARCH = """
## tune.search

The keys of the search space are keys of the configuration: `learning_rate`, `layers`, `optimizer.weight_decay`, or
`layers.0.units`, whose items are numbered from 0. `layers.*.rate` gives every item that has the key the same value. A
key inside another one that is searched too, such as `layers.1.rate` beside `layers`, is searched for the choices that
have it.

```
tune:
  search:
    learning_rate: {from: 1e-4, to: 1e-1, scale: log}
    layers: {choices: [[64], [128, 64], [32, {type: dropout, rate: 0.1}]]}
    layers.1.rate: {from: 0.0, to: 0.5, step: 0.1}
    optimizer: {choices: [{type: sgd, momentum: {from: 0.5, to: 0.99}}, adam]}
```

On the command line: `--search learning_rate=1e-4..1e-1:log`, `--search layers.1.rate=0..0.5:0.1`,
`--search batch_size=16,32,64` or `--search optimizer='[sgd, adam]'`. Rows, folds, the target with its bins of time,
the seed and keys without effect on the scores, such as `workers`, cannot be searched. A key has a range or choices,
in one of these forms:
"""

TUNE_FILE = """
The section may also be in a file of its own, for `nncli tune` only, with these keys.
"""

UNIONS = {
    "Layers": (Layer, "The items of `layers`. A whole number is short for a dense layer with that many units."),
    "Activations": (
        Activation,
        "For `activation`, of one layer or of all, and for `output_activation` (the only place for softmax).",
    ),
    "Losses": (Loss, "For `loss`."),
    "Optimizers": (
        Optimizer,
        "For `optimizer`. `param_groups` sets multipliers for groups of parameters, as in `param_groups: {scale: "
        "{learning_rate_multiplier: 6, weight_decay_multiplier: 36}, bias: {learning_rate_multiplier: 0.1}}`. "
        "`learning_rate_multiplier` (default 1) multiplies the learning rate of a group. Each step shrinks the group "
        "by learning rate · `weight_decay_multiplier` · `weight_decay`, whatever its `learning_rate_multiplier` is. "
        "`weight_decay_multiplier` is by default 1 for weight and embedding, and 0 for numeric (embeddings of numeric "
        "columns), bias, scale (of normalization layers) and alpha (of parametric activations). `decay_schedule: "
        "flat_cosine` keeps the weight decay constant for the first half of the steps, and lowers it to 0 along half a "
        "cosine.",
    ),
    "Learning rates": (
        Schedule,
        "For `learning_rate`. A number is short for `constant`; `coslog` has no required options.",
    ),
    "Numeric embeddings": (NumericEmbedding, "For `numeric_embedding`."),
    "Initializers": (
        Initializer,
        "For `init`, of one dense layer or of all. Default: `he` for rectifiers, `lecun` for selu, `glorot` for the "
        "other activations. `he_uniform` is short for `{type: he, distribution: uniform}`.",
    ),
}


def members(union: object) -> Iterator[type[BaseModel]]:
    """The classes of a discriminated union, through its annotations."""
    if get_origin(union) is Annotated:
        yield from members(get_args(union)[0])
    elif get_origin(union) in (Union, UnionType):
        for member in get_args(union):
            yield from members(member)
    elif isinstance(union, type) and issubclass(union, BaseModel):
        yield union


def default_of(field: FieldInfo) -> str:
    """The default as YAML."""
    value = field.get_default(call_default_factory=False)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json").get("type")
        if value is None:  # a section of its own
            return "see below"
    if isinstance(value, tuple):
        value = [getattr(item, "units", item) for item in value]
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else dump({"x": value})[3:].strip()
    return f"`{text}`"


def option(name: str, field: FieldInfo) -> str:
    default = default_of(field)
    return f"`{name}` (required)" if default == "required" else f"`{name}` {default}"


def section(title: str, model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A heading and a table of a section's keys."""
    yield f"\n## {title}\n"
    yield from keys_of(model, prefix)


def keys_of(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A table of a section's keys."""
    yield "\n| key | default | meaning |\n|---|---|---|\n"
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|w|", "\\|w\\|")
        yield f"| `{prefix}{field.alias or name}` | {default_of(field)} | {meaning} |\n"


def one_line(model: type[BaseModel]) -> str:
    """The docstring on one line."""
    return " ".join((model.__doc__ or "").split()).replace("|", "\\|")


def paragraph(text: str) -> str:
    """The text in lines of up to 118 characters."""
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def configuration() -> str:
    """The text of docs/configuration.md."""
    parts = [INTRODUCTION]
    parts += section("Top level", ConfigFile, "")
    parts += section("data", schema.DataSection, "data.")
    parts += section("encoding", schema.EncodingSection, "encoding.")
    parts += section("encoding.categories", CategoricalOptions, "encoding.categories.")
    parts.append("\n## validation\n\nA fraction of the rows, 0 for none, or one of the following sections.\n")
    for model in members(schema.Validation):
        parts.append(f"\n{paragraph(one_line(model))}\n")
        parts += keys_of(model, "validation.")
    parts += section("early_stopping", schema.EarlyStopping, "early_stopping.")
    parts += section("checkpoint", schema.Checkpoint, "checkpoint.")
    parts += section("tune", TuneSection, "tune.")
    parts.append(SEARCH)
    for model in members(Domain):
        parts.append(f"\n{paragraph(one_line(model))}\n")
        parts += keys_of(model, "")
    parts.append(TUNE_FILE)
    parts += keys_of(TuneFile, "")
    for title, (union, intro) in UNIONS.items():
        parts.append(f"\n## {title}\n\n{paragraph(intro)}\n\n| type | options | meaning |\n|---|---|---|\n")
        for model in members(union):
            fields = [(name, field) for name, field in model.model_fields.items() if name != "type"]
            options = ", ".join(option(name, field) for name, field in fields)
            parts.append(f"| `{model.model_fields['type'].default}` | {options} | {one_line(model)} |\n")
    return "".join(parts)


def training_picture() -> str:
    """The terminal output of training configs/penguins.yaml, as SVG."""
    from rich.console import Console

    from nncli.api.train import train_events
    from nncli.cli.printer import summary
    from nncli.cli.progress.status import Live
    from nncli.cli.progress.training import TrainingProgress
    from nncli.fitting.train.events import Finished, Started
    from nncli.nn.training.loop import EpochReport

    console = Console(
        record=True, width=96, file=io.StringIO(), force_terminal=True, legacy_windows=False, highlight=False
    )
    console.print("$ nncli train configs/penguins.yaml")
    started: Started | None = None
    progress: Live | None = None
    with tempfile.TemporaryDirectory() as folder:
        for event in train_events(DOCS.parent / "configs" / "penguins.yaml", output=Path(folder) / "penguins"):
            if isinstance(event, Started):
                started, progress = event, Live(TrainingProgress(event), Console(file=io.StringIO(), width=112))
            elif progress is None or started is None:
                raise AssertionError("the first event is Started")
            elif isinstance(event, Finished):
                progress.close()
                console.print(progress)
                console.print(summary(started, event))
            elif isinstance(event, EpochReport):
                progress.update(event)
    console.print("runs/penguins")
    return console.export_svg(title="nncli", unique_id="nncli")


PEERS_AND_TESTS = ("bench", "docs", "test", "dev")
"""The extras that only somebody who works on nncli needs."""


def extras() -> str:
    """The table of extras, from pyproject.toml, where a comment above each says what it is for."""
    text = (DOCS.parent / "pyproject.toml").read_text("utf-8")
    lines = text.partition("[project.optional-dependencies]\n")[2].partition("\n\n")[0]
    rows = re.findall(r"# ([^\n]+)\n([a-z]+) = ", lines)
    in_all = re.search(r"nncli-train\[([a-z,]+)\]", lines)
    assert in_all is not None
    table = "".join(
        f"| `{name}` | {what} | {'yes' if name in in_all[1].split(',') else 'no'} |\n"
        for what, name in sorted(rows, key=lambda row: row[1])
        if name != "all" and name not in PEERS_AND_TESTS
    )
    return f"| extra | for | in `all` |\n|---|---|---|\n{table}"


def database_commands() -> str:
    """The commands that take a query."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    names = [
        name
        for name in group.list_commands(context)
        if any("--query" in parameter.opts for parameter in group.get_command(context, name).params)
    ]
    return textwrap.fill(f"Commands with these options: {', '.join(f'`{name}`' for name in names)}.", 118) + "\n"


def disclosures() -> str:
    """What each file of a run, and each file that is written from one, gives away."""
    rows = []
    for file in FILES:
        names, *_, row, hashes, path = ("yes" if content in file.holds else "" for content in Content)
        cells = ", ".join(content for content in CELLS if content in file.holds)
        name = f"`{file.pattern}`" if file.group in ("run", "report") else f"{file.group} `{file.pattern}`"
        rows.append(f"| {name} | {names} | {cells} | {row or (hashes and 'hashes')} | {path} | {file.detail} |\n")
    head = "| file | names of columns | cells | rows | paths | what exactly |\n|---|---|---|---|---|---|\n"
    return head + "".join(rows)


def diagnoses() -> str:
    """What each rule of the diagnosis tests, with its limits, and what helps."""
    rows = []
    for rule in RULES:
        limits = {name: parameter.default for name, parameter in inspect.signature(rule).parameters.items()}
        test, _, helps = (inspect.getdoc(rule) or "").partition("\n\nHelps: ")
        text = re.sub(r"(\d)%", r"\1 %", " ".join(test.split()).format(**limits))
        cells = (text.rstrip("."), " ".join(helps.split()).rstrip("."))
        rows.append(f"| `{FindingCode[rule.__name__.upper()]}` | {' | '.join(cells)} |\n")
    return "| finding | test | what helps |\n|---|---|---|\n" + "".join(rows)


TABLES: dict[str, Callable[[], str]] = {
    "database_commands": database_commands,
    "diagnoses": diagnoses,
    "disclosures": disclosures,
    "extras": extras,
    "rooms": tree,
}
"""The text between `<!-- made: NAME -->` and `<!-- end -->` in a page."""


def with_tables(page: Path) -> str:
    """The text of a page whose tables are made anew."""
    return re.sub(
        r"(<!-- made: (\w+) -->\n\n).*?(\n<!-- end -->)",
        lambda match: match[1] + TABLES[match[2]]() + match[3],
        page.read_text("utf-8"),
        flags=re.DOTALL,
    )


MADE: dict[Path, Callable[[], str]] = {
    **{
        DOCS / name: partial(with_tables, DOCS / name)
        for name in ("architecture.md", "install.md", "howto/databases.md", "howto/diagnose.md", "run-directory.md")
    },
    DOCS / "configuration.md": configuration,
    DOCS / "commands.md": commands,
    DOCS / "python-api.md": python_api,
    DOCS / "json.md": json_outputs,
    DOCS / "config.schema.json": json_schema,
    DOCS / "assets" / "rooms.svg": picture,
    **{DOCS / "assets" / "tutorial" / f"{name}.svg": draw for name, draw in PICTURES.items()},
    SCHEMA: json_schema,
}
"""The generated files, checked by a test to be current."""


def main() -> int:
    """Write every file, or, with --check, list those that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    arguments = parser.parse_args()
    if arguments.check:
        old = [path for path, make in MADE.items() if not path.exists() or path.read_text("utf-8") != make()]
        for path in old:
            sys.stderr.write(f"{path} is out of date; run python docs/build.py\n")
        return 1 if old else 0
    for path, make in MADE.items():
        path.write_text(make(), "utf-8")
    (DOCS / "training.svg").write_text(training_picture(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
