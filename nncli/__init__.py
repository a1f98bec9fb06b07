"""nncli: train a neural network on a table, from the command line or from Python, on NumPy.

>>> from nncli import train, predict, evaluate, load  # the commands, as functions  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncli.version import __version__

if TYPE_CHECKING:
    from nncli.commands.check import check
    from nncli.commands.compare import compare
    from nncli.commands.cross_validate import cross_validate, resume_cross_validation
    from nncli.commands.distill import distill
    from nncli.commands.drift import drift
    from nncli.commands.evaluate import evaluate
    from nncli.commands.explain import explain
    from nncli.commands.export import export_run
    from nncli.commands.head import head
    from nncli.commands.init import init
    from nncli.commands.load import load
    from nncli.commands.predict import predict
    from nncli.commands.predict_files import predict_files
    from nncli.commands.reproduce import reproduce
    from nncli.commands.runs import list_runs
    from nncli.commands.show import show
    from nncli.commands.threshold import clear_threshold, threshold
    from nncli.commands.track import track
    from nncli.commands.train import resume, train
    from nncli.commands.tune import resume_tune, select_ensemble, tune

__all__ = [
    "__version__",
    "check",
    "clear_threshold",
    "compare",
    "cross_validate",
    "distill",
    "drift",
    "evaluate",
    "explain",
    "export_run",
    "head",
    "init",
    "list_runs",
    "load",
    "predict",
    "predict_files",
    "reproduce",
    "resume",
    "resume_cross_validation",
    "resume_tune",
    "select_ensemble",
    "show",
    "threshold",
    "track",
    "train",
    "tune",
]


def __getattr__(name: str) -> object:
    """Import a command when it is first asked for, so that `import nncli` costs nothing (PEP 562)."""
    homes = {
        "check": "check",
        "train": "train",
        "resume": "train",
        "head": "head",
        "init": "init",
        "predict": "predict",
        "predict_files": "predict_files",
        "distill": "distill",
        "drift": "drift",
        "evaluate": "evaluate",
        "load": "load",
        "reproduce": "reproduce",
        "list_runs": "runs",
        "show": "show",
        "threshold": "threshold",
        "clear_threshold": "threshold",
        "track": "track",
        "tune": "tune",
        "resume_tune": "tune",
        "select_ensemble": "tune",
        "compare": "compare",
        "explain": "explain",
        "export_run": "export",
        "cross_validate": "cross_validate",
        "resume_cross_validation": "cross_validate",
    }
    if name in homes:
        from importlib import import_module

        return getattr(import_module(f"nncli.commands.{homes[name]}"), name)
    raise AttributeError(f"module 'nncli' has no attribute {name!r}")
