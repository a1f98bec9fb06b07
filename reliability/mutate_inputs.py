"""Mutation of valid inputs into hostile ones: by their grammar, then byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import yaml


def _apart(text: str) -> list[str]:
    """The parts between the broken bars; `9*400` is a long row of nines."""
    result = [(part, re.fullmatch(r"(.)\*([0-9]+)", part)) for part in text.split("¦")]
    return [match[1] * int(match[2]) if match else part for part, match in result]


TOKENS = [
    token.encode("latin-1")
    for token in _apart(
        '\x00¦ÿ¦ï»¿¦ÿþ¦\r¦\r\n¦\n\n¦\t¦"¦""¦\'¦\\¦,¦;¦: ¦- ¦{¦}¦[¦]¦&a ¦*a¦<<: *a¦!!python/object:os.system ¦'
        "!!binary ¦|\n¦%YAML 9.9\n¦---\n¦...\n¦? ¦#¦@¦`¦~¦NaN¦-Infinity¦1e400¦null¦true¦\x1b[31m¦\x1b]0;x\x07¦â\x80®¦"
        "â\x80¨¦é¦ð\x9f\x90§¦\x85¦í\xa0\x80¦ô\x90\x80\x80¦À¯¦9*400¦[*300¦{*300¦0x1F¦1_000¦1:30¦type¦units¦path¦"
        "\\ud800¦\\u0000¦PAR1¦\x1f\x8b¦ *50¦a*5000"
    )
]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 2**31, 2**63, 2**64, 10**30, -(2**63), 0.0, -0.0, 0.5, 1e-320, 1e308),
    *(float("inf"), float("nan"), *_apart("¦ ¦NA¦y¦x1¦auto¦full¦relu¦adam¦sgd¦cosine¦dense¦dropout¦residual")),
    *_apart("balanced¦1 epoch¦5 steps¦0 s¦1e3¦é¦\u202e¦\x1b[0m¦a\nb"),
    *("x" * 3000, [], {}, [[]], [{}], {"type": "adam"}, {"type": []}, {"type": None}, {1: 2}, {None: None}),
    {"a": {"b": {"c": 1}}},
]
KEYS = """
data path target features drop columns weight group time leave_out folds fold bootstrap missing encoding
numeric validation layers type units activation rate loss
optimizer learning_rate peak momentum batch_size epochs l1 l2 clip_norm early_stopping patience
metric best_epoch min_delta class_weight precision on_divergence checkpoint every keep threads seed output
beta1 huber delta calibration
"""
CELLS = _apart(
    '¦ ¦1¦-1¦0.5¦1e400¦-inf¦nan¦NA¦null¦007¦9007199254740993¦1,5¦1.234,5¦1 000¦true¦No¦2024-01-31¦１２¦a¦b¦c¦a"b¦'
    '"q"¦"a,b"¦"a\nb"¦"open¦=1+1¦🐧¦x*300¦\x1b[1m¦\u202e¦\x00¦é¦1e-400¦0x10¦٣¦+5¦--¦.¦1.¦.5¦1e¦Infinity¦'
    "\ufeff"
)
CONFIG_SEEDS = [
    "data: {path: table.csv, target: y}\nlayers: [8, {type: dropout, rate: 0.1}]\noptimizer: adam\nepochs: 2\n",
    "data:\n  path: table.csv\n  target: [y]\n  drop: [x5]\n  missing_values: ['', NA]\n  columns: {x1: categorical}\n"
    "encoding: {numeric: min_max}\nvalidation: 0.25\nlayers:\n  - {type: residual, layers: [16, batch_norm]}\n  - 4\n"
    "activation: {type: leaky_relu}\nloss: {type: huber, delta: 1.0}\n"
    "learning_rate: {type: step, peak: 0.1, every: 3}\n"
    "l2: 0.001\nearly_stopping: {patience: 3}\nmetric: rmse\ncheckpoint: {every: 5 steps, keep: 1}\nseed: 3\n",
    "data: &d {path: table.csv, target: y}\nlayers: [8, 4]\n"
    "optimizer: {type: sgd, momentum: 0.9, nesterov: true}\nbatch_size: full\n"
    "clip_norm: 1.0\nprecision: float64\nthreads: 1\nepochs: 2\n"
    "learning_rate: {type: cosine, peak: 0.01, warmup_steps: 4}\n",
    "data: {path: table.csv, target: y}\npreset: tabular\nmembers: 2\nworkers: 1\nepochs: 2\nbatch_size: auto\n",
]


def bytes_mutated(data: bytes, rng: Random) -> bytes:
    """`data` after a few byte-level accidents."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randint(0, len(changed))
        end = min(len(changed), at + rng.choice((1, 1, 2, 8, 40)))
        match rng.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at:at] = rng.choice(TOKENS)
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = changed[at:end] * rng.choice((1, 2, 50))
            case 4:
                del changed[at:]
            case 5:
                changed[at:end] = rng.choice(TOKENS)
            case _:
                changed[at:end] = rng.randbytes(end - at)
    return bytes(changed)


def tree_mutated(value: Any, rng: Random) -> Any:
    """A tree of JSON or YAML after one accident somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        match rng.randrange(6):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, rng.choice(KEYS.split()): rng.choice(SCALARS)}
            case 2:
                return {(rng.choice(KEYS.split()) if k == key else k): v for k, v in value.items()}
            case _:
                return {**value, key: tree_mutated(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        match rng.randrange(4):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value[:at] + [value[at]] * rng.choice((2, 3, 30)) + value[at + 1 :]
            case _:
                return [*value[:at], tree_mutated(value[at], rng), *value[at + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.3:
        return rng.choice((-value, value + 1, value * 1000, value / 3, str(value)))
    return rng.choice(SCALARS)


def config(rng: Random) -> bytes:
    """A configuration."""
    text = rng.choice(CONFIG_SEEDS)
    if rng.random() < 0.7:
        tree = yaml.safe_load(text)
        for _ in range(rng.choice((1, 1, 2, 3))):
            tree = tree_mutated(tree, rng)
        text = yaml.safe_dump(
            tree, default_flow_style=rng.choice((None, True, False)), allow_unicode=rng.random() < 0.5
        )
    data = text.encode("utf-8", "surrogatepass")
    return bytes_mutated(data, rng) if rng.random() < 0.5 else data


def table(rng: Random) -> tuple[str, bytes]:
    """A table and the suffix of its name."""
    suffix = rng.choice((".csv", ".csv", ".csv", ".csv", ".tsv", ".txt", ".jsonl", ".csv.gz"))
    names = [
        rng.choice(("x1", "x2", "x3", "x4", "x5", "y", *CELLS)) if rng.random() < 0.2 else f"x{i + 1}" for i in range(5)
    ]
    names.append("y")
    plain = rng.random() < 0.6
    rows = [
        [f"{rng.random():.3f}" if plain or rng.random() < 0.93 else rng.choice(CELLS) for _ in names] for _ in range(9)
    ]
    if suffix == ".jsonl":
        data = "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows).encode(
            "utf-8", "surrogatepass"
        )
    else:
        if rng.random() < 0.2:
            at = rng.randrange(len(rows))
            rows[at] = rows[at] * 2 if rng.random() < 0.5 else rows[at][: rng.randrange(6)]
        separator = "\t" if suffix == ".tsv" else ","
        if rng.random() < 0.15:
            separator = rng.choice(";\t|, ")
        text = rng.choice(("\n",) * 6 + ("\r\n", "\r\n", "\r")).join(separator.join(row) for row in [names, *rows])
        data = text.encode(rng.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "latin-1")), "replace")
    if rng.random() < 0.4:
        data = bytes_mutated(data, rng)
    if suffix.endswith(".gz"):
        data = gzip.compress(data, 1, mtime=0)
        data = bytes_mutated(data, rng) if rng.random() < 0.4 else data
    return suffix, data


def _weights_mutated(data: bytes, rng: Random) -> bytes:
    """Weights whose header, which is JSON, had an accident."""
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(tree_mutated(json.loads(data[8 : 8 + size]), rng)).encode()
    length = len(header) if rng.random() < 0.8 else rng.choice((0, 1, 10**9, 2**63, 2**64 - 1))
    return length.to_bytes(8, "little") + header + data[8 + size :]


def run_directory(files: dict[str, bytes], rng: Random) -> dict[str, bytes]:
    """The files of a run directory; half of the time the checksums are made to agree with what was done to it."""
    changed = dict(files)
    names = sorted(files)
    for _ in range(rng.choice((1, 1, 1, 2))):
        name = rng.choice(names)
        data = changed.get(name, b"")
        action: Callable[[bytes, Random], bytes] = bytes_mutated
        try:
            if rng.random() < 0.6 and name.endswith(".json"):
                data = json.dumps(tree_mutated(json.loads(data), rng)).encode()
                action = _unchanged
            elif rng.random() < 0.6 and name.endswith(".safetensors"):
                action = _weights_mutated
            changed[name] = action(data, rng)
        except (ValueError, TypeError, AttributeError, OverflowError):
            changed[name] = bytes_mutated(data, rng)
        if rng.random() < 0.05:
            changed[name] = changed[rng.choice(names)]
        elif rng.random() < 0.03:
            del changed[name]
            names.remove(name)
    if rng.random() < 0.5:
        _agree(changed)
    return changed


def _unchanged(data: bytes, rng: Random) -> bytes:
    return data


def _agree(files: dict[str, bytes]) -> None:
    try:
        manifest = json.loads(files["manifest.json"])
        for name in manifest["files"]:
            manifest["files"][name] = hashlib.sha256(files[name]).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
