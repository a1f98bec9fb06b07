"""The fuzz targets: the functions and commands that a mutated input is given to."""

from __future__ import annotations

from pathlib import Path
from random import Random

OF_WRITING = "\n\t\xa0\u202f\u3000\u200c\u200d"


def raw_characters(text: str) -> list[str]:
    """The characters that have no business on a terminal."""
    return [c for c in text if not c.isprintable() and c not in OF_WRITING]


def answer(kind: str, path: Path) -> int:
    """Give an input to nncli's functions; the exit code that its answer would have."""
    import polars

    from nncli.api.options import PredictOptions
    from nncli.api.prediction.tables import predict_whole_table
    from nncli.base.errors import NncliError
    from nncli.config.loading import load_config
    from nncli.data.sources.read_table import read_chunks, read_table
    from nncli.data.table import Table
    from nncli.run_directory.run import Run

    try:
        if kind == "config":
            load_config(path)
        elif kind == "table":
            whole = read_table(path).frame.height
            pieces = sum(piece.frame.height for piece in read_chunks(path, rows=3, block_bytes=64))
            if whole != pieces:
                raise AssertionError(f"read_table gives {whole} rows, read_chunks {pieces}")
        else:
            model = Run.open(path).load_model()
            frame = polars.DataFrame({f"x{n}": ["0.5", "-1", "1e30", None] for n in range(1, 11)})
            predict_whole_table(model, Table(frame, "rows"), PredictOptions())
    except NncliError as error:
        message = str(error)
        if raw := raw_characters(message):
            raise AssertionError(f"the message holds {raw[0]!r}") from error
        return error.exit_code
    return 0


def words_for(kind: str, path: Path, ground: Path, rng: Random) -> list[str]:
    """A command that meets the input, in a folder with the good training of training.py."""
    out = ["-o", str(path.parent / "out.csv"), "--force"]
    whole, good = str(ground / "whole"), str(ground / "table.csv")
    small = ["--quiet", "--set", "epochs=1", "--set", "layers=[4]", "-o", str(path.parent / "made")]
    choices = {
        "config": [["train", str(path), *small]],
        "table": [
            ["predict", whole, str(path), *out],
            ["evaluate", whole, str(path)],
            ["train", str(ground / "config.yaml"), "--set", f"data.path={path}", *small],
        ],
        "run": [
            ["predict", str(path), good, *out],
            ["evaluate", str(path), good],
            ["train", "--resume", str(path), "--quiet", "--set", "epochs=9"],
        ],
    }
    return rng.choice(choices[kind])
