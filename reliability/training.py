"""The small training that the reliability scripts interrupt, and what must be left of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import Outcome, run

from nncli.base.errors import NncliError
from nncli.config.loading import load_config
from nncli.run_directory.checkpoints import read_checkpoint
from nncli.run_directory.manifest import CHECKPOINTS, HISTORY, METRICS, MODEL, WEIGHTS
from nncli.run_directory.run import Run

INTERVAL = 20
"""Steps between checkpoints."""

CONFIG = """\
data: {path: table.csv, target: y}
layers: [8, {type: dropout, rate: 0.1}, 8]
batch_size: 4
epochs: EPOCHS
early_stopping: {patience: 25}
learning_rate: {type: cosine, peak: 0.01}
checkpoint: {every: INTERVAL steps, keep: 2}
"""


@dataclass(frozen=True)
class Bits:
    """What two trainings to the same end have in common, byte for byte; of the history all but the times."""

    weights: bytes
    metrics: bytes
    model: bytes
    history: tuple[str, ...]


def prepare(folder: Path, *, epochs: int) -> None:
    """Put the table and the configuration there; an epoch has 12 steps."""
    outcome = run(["generate-data", "friedman1", "-n", "60", "-o", str(folder / "table.csv"), "--force"])
    if outcome.code:
        raise SystemExit(outcome.errors)
    (folder / "config.yaml").write_text(CONFIG.replace("EPOCHS", str(epochs)).replace("INTERVAL", str(INTERVAL)))


def train_words(folder: Path, path: Path) -> list[str]:
    """Train anew into `path`."""
    return ["train", str(folder / "config.yaml"), "-o", str(path), "--quiet"]


def resume_words(path: Path) -> list[str]:
    """Go on in `path`."""
    return ["train", "--resume", str(path), "--quiet"]


def go_on(folder: Path, path: Path) -> Outcome:
    """Bring the training to its end, undisturbed."""
    return run(resume_words(path) if path.exists() else train_words(folder, path))


def bits(path: Path) -> Bits:
    """The bits of a finished training."""
    history = tuple(line.rpartition(",")[0] for line in (path / HISTORY).read_text().splitlines())
    weights, metrics, model = ((path / name).read_bytes() for name in (WEIGHTS, METRICS, MODEL))
    return Bits(weights, metrics, model, history)


def checkpoint_steps(path: Path) -> list[int]:
    """The steps of all checkpoints, each of them whole.

    Raises:
        ValueError: one is not.
    """
    steps = []
    for file in sorted((path / CHECKPOINTS).glob("*.safetensors")):
        try:
            read_checkpoint(file)
        except Exception as error:
            raise ValueError(f"{file} is not whole: {error}") from error
        steps.append(int(file.stem))
    return steps


def unreadable(path: Path) -> str | None:
    """Why a run directory cannot be read, or None when it can."""
    try:
        there = Run.open(path)
        there.load_manifest()
        load_config(path / "config.yaml")
        if (path / WEIGHTS).exists():
            there.load_model()
        checkpoint_steps(path)
    except (NncliError, ValueError) as error:
        return str(error)
    return None


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders anywhere in `folder`."""
    return [str(path) for path in folder.rglob("*nncli-*")]
