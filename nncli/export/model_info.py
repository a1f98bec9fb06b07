"""What an exported file says about its model besides the program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelInfo:
    """The name of the run, the SHA-256 checksum of its manifest, and the version of nncli that exported it."""

    name: str
    checksum: str
    nncli_version: str
