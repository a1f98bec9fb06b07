"""nncli: train a neural network on a table, from the command line or from Python, on NumPy.

>>> from nncli import train, predict, evaluate, load  # the commands, as functions  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncli.version import __version__

if TYPE_CHECKING:
    from nncli.api.check import check
    from nncli.api.compare import compare
    from nncli.api.cross_validate import cross_validate, resume_cross_validation
    from nncli.api.distill import distill
    from nncli.api.drift import drift
    from nncli.api.evaluate import evaluate
    from nncli.api.explain import explain
    from nncli.api.export import export_run
    from nncli.api.head import head
    from nncli.api.init import init
    from nncli.api.load import load
    from nncli.api.predict import predict
    from nncli.api.predict_files import predict_files
    from nncli.api.predict_to_file import predict_to_file
    from nncli.api.reproduce import reproduce
    from nncli.api.show import show
    from nncli.api.threshold import clear_threshold, threshold
    from nncli.api.track import track
    from nncli.api.train import resume, train
    from nncli.api.tune import resume_tune, select_ensemble, tune
    from nncli.runs.listing import list_runs

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
    "predict_to_file",
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
        "check": "nncli.api.check",
        "train": "nncli.api.train",
        "resume": "nncli.api.train",
        "head": "nncli.api.head",
        "init": "nncli.api.init",
        "predict": "nncli.api.predict",
        "predict_files": "nncli.api.predict_files",
        "predict_to_file": "nncli.api.predict_to_file",
        "distill": "nncli.api.distill",
        "drift": "nncli.api.drift",
        "evaluate": "nncli.api.evaluate",
        "load": "nncli.api.load",
        "reproduce": "nncli.api.reproduce",
        "list_runs": "nncli.runs.listing",
        "show": "nncli.api.show",
        "threshold": "nncli.api.threshold",
        "clear_threshold": "nncli.api.threshold",
        "track": "nncli.api.track",
        "tune": "nncli.api.tune",
        "resume_tune": "nncli.api.tune",
        "select_ensemble": "nncli.api.tune",
        "compare": "nncli.api.compare",
        "explain": "nncli.api.explain",
        "export_run": "nncli.api.export",
        "cross_validate": "nncli.api.cross_validate",
        "resume_cross_validation": "nncli.api.cross_validate",
    }
    if name in homes:
        from importlib import import_module

        return getattr(import_module(homes[name]), name)
    raise AttributeError(f"module 'nncli' has no attribute {name!r}")
