"""What the tests of exported models need besides Python, and what of it is missing."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec

PROGRAMS = {
    "nodejs": ("node",),
    "gcc": ("gcc",),
    "clang": ("clang",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
}
"""Programs by the package of the system (Debian, Ubuntu) that has them: one of several is enough."""
MODULES = ("onnx", "onnxruntime")


def missing() -> list[str]:
    """A line for each program or package that is missing: what to install."""
    lines = [
        f"no {names[0]}: as root, apt-get install {package} (Debian, Ubuntu)"
        for package, names in PROGRAMS.items()
        if not any(map(shutil.which, names))
    ]
    return lines + [f"no {name}: pip install {name}" for name in MODULES if find_spec(name) is None]


if __name__ == "__main__":
    print("\n".join(missing()), end="\n" if missing() else "")
    sys.exit(3 if missing() else 0)
