"""Dataclasses in a file that need not be in `sys.modules`, where the decorator of the library looks up written types.

A module that `importlib.util.spec_from_file_location` loads is there only if somebody puts it there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from inspect import get_annotations
from typing import Any


def dataclass(**options: Any) -> Callable[[type], type]:
    """The decorator of that name, for classes whose types of fields tell ClassVar alone apart."""

    def decorate(cls: type) -> type:
        fields = (name for name, kind in get_annotations(cls).items() if not kind.startswith("ClassVar"))
        cls.__annotations__ = dict.fromkeys(fields, object)
        return dataclasses.dataclass(**options)(cls)

    return decorate
