"""Make what stands in docs/ and follows from the code anew: python docs/build.py [--check]."""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from commands import commands
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nncli.config import schema
from nncli.config.json_schema import json_schema
from nncli.config.schema_file import SCHEMA
from nncli.config.yaml.writer import dump
from nncli.data.encoders.categorical import CategoricalOptions
from nncli.nn.activations import Activation
from nncli.nn.initializers import Initializer
from nncli.nn.layers.residual import Layer
from nncli.nn.losses import Loss
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.optim.optimizers import Optimizer
from nncli.optim.schedules import Schedule

DOCS = Path(__file__).parent

INTRODUCTION = """# The configuration

Made from the code by `python docs/build.py`; a test keeps it true.

A configuration is a YAML file. Only `data.path` and `data.target` must be given. Any key can be overridden on the
command line: `--set epochs=10`, `--set optimizer.type=adam`, `--set layers=[64,64]`. Wherever a choice takes no
options its bare name will do: `optimizer: adam` is `optimizer: {type: adam}`.

What is said later stands above what was said before: the defaults, the preset, the file, the environment, `--set`. In
the environment a key is a variable in capitals, with two underscores before a key within a section:
`NNCLI_EPOCHS=10`, `NNCLI_OPTIMIZER__TYPE=adam`, `NNCLI_LAYERS='[64, 64]'`. An empty variable says nothing; one that
is no key is a mistake, so that a misspelt one does not train something else, but for those that Kubernetes sets beside
a service called nncli (`NNCLI_PORT`, `NNCLI_SERVICE_HOST`), which are passed over with a note. Variables belong to what
a person wrote: a run that is resumed, used or looked at goes by its own config.yaml alone. `nncli config show` says
where each value comes from.

[config.schema.json](config.schema.json) says the same in JSON Schema, for editors and other tools. It comes with nncli:
`nncli config schema` prints it. What it refuses is wrong; a rule that concerns several keys at once it does not know.
"""

UNIONS = {
    "Layers": (Layer, "In `layers`. A whole number is short for a dense layer of so many units."),
    "Activations": (
        Activation,
        "In `activation`, of a layer or of all, and in `output_activation` (softmax only there).",
    ),
    "Losses": (Loss, "In `loss`."),
    "Optimizers": (
        Optimizer,
        "In `optimizer`. `param_groups` gives groups of parameters their own factors, as in `param_groups: {scale: "
        "{lr_multiplier: 6, weight_decay_multiplier: 36}, bias: {lr_multiplier: 0.1}}`. A group moves with "
        "`lr_multiplier` (1) times the learning rate. Where there is a `weight_decay`, it shrinks by learning rate · "
        "`weight_decay_multiplier` · `weight_decay` in a step, whatever its `lr_multiplier`; "
        "`weight_decay_multiplier` is 1 for weight and embedding, 0 for the others: numeric (embeddings of "
        "numbers), bias, scale (of normalizations) and alpha (of parametric activations). With "
        "`decay_schedule: flat_cosine` the decay holds for half of the training's steps, then falls to 0 along half a "
        "cosine.",
    ),
    "Learning rates": (
        Schedule,
        "In `learning_rate`. A number is short for `constant`; `coslog` needs no options.",
    ),
    "Embeddings of numbers": (NumericEmbedding, "In `numeric_embedding`."),
    "Initializers": (
        Initializer,
        "In `init`, of a dense layer or of all; default: `he` for rectifiers, `lecun` for selu, `glorot` for the rest. "
        "`he_uniform` is short for `{type: he, distribution: uniform}`.",
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
    """A default as one would write it in YAML."""
    value = field.get_default(call_default_factory=False)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        plain = value.model_dump(mode="json")
        value = plain.get("type", plain)
    if isinstance(value, tuple):
        value = [getattr(item, "units", item) for item in value]
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else dump({"x": value})[3:].strip()
    return f"`{text}`"


def option(name: str, field: FieldInfo) -> str:
    default = default_of(field)
    return f"`{name}` (required)" if default == "required" else f"`{name}` {default}"


def section(title: str, model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A title and a table of a section's keys."""
    yield f"\n## {title}\n"
    yield from keys_of(model, prefix)


def keys_of(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A table of a section's keys."""
    yield "\n| key | default | meaning |\n|---|---|---|\n"
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|w|", "\\|w\\|")
        yield f"| `{prefix}{name}` | {default_of(field)} | {meaning} |\n"


def one_line(model: type[BaseModel]) -> str:
    """The docstring, its paragraphs run together."""
    return " ".join((model.__doc__ or "").split()).replace("|", "\\|")


def configuration() -> str:
    """The text of docs/configuration.md."""
    parts = [INTRODUCTION]
    parts += section("The whole", schema.Config, "")
    parts += section("data", schema.DataSection, "data.")
    parts += section("encoding", schema.EncodingSection, "encoding.")
    parts += section("encoding.categories", CategoricalOptions, "encoding.categories.")
    parts.append(
        "\n## validation\n\nA fraction of the rows, 0 for none, or one of these, which are told apart by their keys.\n"
    )
    for model in members(schema.Validation):
        parts.append(f"\n{one_line(model)}\n")
        parts += keys_of(model, "validation.")
    parts += section("early_stopping", schema.EarlyStopping, "early_stopping.")
    parts += section("checkpoint", schema.Checkpoint, "checkpoint.")
    for title, (union, where) in UNIONS.items():
        parts.append(f"\n## {title}\n\n{where}\n\n| type | options | meaning |\n|---|---|---|\n")
        for model in members(union):
            fields = [(name, field) for name, field in model.model_fields.items() if name != "type"]
            options = ", ".join(option(name, field) for name, field in fields)
            parts.append(f"| `{model.model_fields['type'].default}` | {options} | {one_line(model)} |\n")
    return "".join(parts)


def training_picture() -> str:
    """The terminal while configs/penguins.yaml trains, as an SVG made by Rich."""
    from rich.console import Console

    from nncli.cli.console import summary
    from nncli.cli.progress.live import LiveProgress
    from nncli.commands.train import train_events
    from nncli.pipeline.train.events import Finished, Started
    from nncli.training.loop import EpochReport

    console = Console(
        record=True, width=96, file=io.StringIO(), force_terminal=True, legacy_windows=False, highlight=False
    )
    console.print("$ nncli train configs/penguins.yaml")
    started: Started | None = None
    progress: LiveProgress | None = None
    with tempfile.TemporaryDirectory() as folder:
        for event in train_events(DOCS.parent / "configs" / "penguins.yaml", output=Path(folder) / "penguins"):
            if isinstance(event, Started):
                started, progress = event, LiveProgress(event, Console(file=io.StringIO(), width=112))
            elif progress is None or started is None:
                raise AssertionError("a training begins with Started")
            elif isinstance(event, Finished):
                progress.close()
                console.print(progress)
                console.print(summary(started, event))
            elif isinstance(event, EpochReport):
                progress.update(event)
    console.print("runs/penguins")
    return console.export_svg(title="nncli", unique_id="nncli")


MADE: dict[Path, Callable[[], str]] = {
    DOCS / "configuration.md": configuration,
    DOCS / "commands.md": commands,
    DOCS / "config.schema.json": json_schema,
    SCHEMA: json_schema,
}
"""What is tested to be current."""


def main() -> int:
    """Write every file, or, with --check, say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a text is out of date")
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
