"""The answer to a missing optional dependency: the command that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    "export": ("onnx",),
    "report": ("jinja2", "markupsafe", "matplotlib"),
    "serve": ("httptools", "prometheus_client", "starlette", "uvicorn"),
}
"""The packages of each extra that a command imports."""


@contextmanager
def requires_extra(extra: str) -> Iterator[None]:
    """Translate the ImportError of a package of an extra inside the block.

    Raises:
        NncliError: a package is not installed; the hint is the command that installs the extra.
    """
    from nncli.base.errors import NncliError

    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]  # the name may be that of a module in the package
        if package not in EXTRAS[extra]:
            raise
        raise NncliError(
            f"the package {package} is not installed", hint=f"pip install 'nncli-train[{extra}]'"
        ) from error
