"""nncli: train a neural network on a table, from the command line or from Python, on NumPy.

No module or package in it has the name of a function: importing one would replace the function.

>>> from nncli import train, predict, evaluate, load  # the commands, as functions  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncli.version import __version__

if TYPE_CHECKING:
    from nncli.api.check import check
    from nncli.api.compare import compare
    from nncli.api.cross_validate import cross_validate
    from nncli.api.diagnose import diagnose
    from nncli.api.distill import distill
    from nncli.api.drift import drift
    from nncli.api.evaluate import evaluate
    from nncli.api.explain import explain
    from nncli.api.export import export
    from nncli.api.head import head
    from nncli.api.init import init
    from nncli.api.load import load
    from nncli.api.predict import predict, predict_to_file
    from nncli.api.predict_files import predict_files
    from nncli.api.report import report
    from nncli.api.reproduce import reproduce
    from nncli.api.share import share
    from nncli.api.show import show
    from nncli.api.threshold import clear_threshold, threshold
    from nncli.api.trace import trace
    from nncli.api.track import track
    from nncli.api.train import train
    from nncli.api.tune import select_ensemble, tune
    from nncli.base.errors import NncliError
    from nncli.run_directory.listing import runs

_HOMES = {
    "NncliError": "base.errors",
    "clear_threshold": "api.threshold",
    "predict_to_file": "api.predict",
    "runs": "run_directory.listing",
    "select_ensemble": "api.tune",
}
"""The modules of names that are not in the module of their name in nncli.api."""

__all__ = [
    "NncliError",
    "__version__",
    "check",
    "clear_threshold",
    "compare",
    "cross_validate",
    "diagnose",
    "distill",
    "drift",
    "evaluate",
    "explain",
    "export",
    "head",
    "init",
    "load",
    "predict",
    "predict_files",
    "predict_to_file",
    "report",
    "reproduce",
    "runs",
    "select_ensemble",
    "share",
    "show",
    "threshold",
    "trace",
    "track",
    "train",
    "tune",
]


def __getattr__(name: str) -> object:
    """Import a command when it is first asked for, so that `import nncli` costs nothing (PEP 562)."""
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"nncli.{_HOMES.get(name, f'api.{name}')}"), name)
    raise AttributeError(f"module 'nncli' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is to import."""
    return __all__
