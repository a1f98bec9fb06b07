"""Masks of dropout from a hash of the position, the step and a seed: there is no state but the number of the step.

So a training that is resumed, or computed in stretches of any length, has the same masks, and a loop can draw many bits
at once. The hash of a position is a bijection of 32 bits with two keys, which differ for each step and layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.training.compiled.jit import inlined

RESOLUTION = 1 << 32
"""Rates are multiples of 1 / RESOLUTION."""


@inlined
def mixed(x: Any) -> Any:
    """64 mixed bits of 64 bits. Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inlined
def mask_keys(seed: Any, step: Any, layer: Any) -> Any:
    """The two keys, of 32 bits each, of the mask of a layer in a step."""
    x = mixed(mixed(seed + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15)) + np.uint64(layer))
    return np.uint32(x >> np.uint64(32)), np.uint32(x & np.uint64(0xFFFFFFFF))


@inlined
def kept(position: Any, key0: Any, key1: Any, dropped: Any) -> Any:
    """Whether the unit at a position is kept, which has the probability 1 - dropped / 2³².

    The constants are those of Wellons, "Prospecting for hash functions", 2018, lowbias32.
    """
    x = np.uint32(np.uint32(position) + key0)
    x = np.uint32(np.uint32(x ^ np.uint32(x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32(x ^ key1)
    x = np.uint32(np.uint32(x ^ np.uint32(x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ np.uint32(x >> np.uint32(16))) >= np.uint32(dropped)
