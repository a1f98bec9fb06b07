"""Give mutated files to nncli in a process of its own, which may die or hang."""

from __future__ import annotations

import io
import multiprocessing
import os
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TypeAlias

from nncli.base.errors import NncliError
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.data.sources.table_source import TableSource

Mutation: TypeAlias = Callable[[bytes, Random], bytes]

SLOW = 5.0
"""Seconds of the processor, as other programs may keep it busy."""
TIMEOUT = 600.0
SCHEMES = {".sqlite": "sqlite:///", ".duckdb": "duckdb:///"}
NUMBERS = (
    b"\0",
    b"\1",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff",
    b"\0" * 4,
    b"\xff" * 4,
    b"\xff" * 3 + b"\x7f",
    b"\xff" * 8,
)
"""Numbers that readers are known to stumble over, zero, minus one and the largest ones among them."""
MEMBERS = ("", "/", "..", "a/", "xl/workbook.xml", "META-INF/manifest.xml", "t.csv")
"""Names of members of an archive that are empty, folders, or those of others."""


def mutated_bytes(data: bytes, rng: Random) -> bytes:
    """The bytes after a few accidents: flips, cuts, repetitions, numbers and noise."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(changed) + 1)
        end = min(len(changed), at + rng.choice((1, 1, 2, 4, 8, 40)))
        match rng.randrange(12):
            case 0:
                del changed[at:]
            case 1 | 2:
                del changed[at:end]
            case 3 | 4:
                changed[at:at] = changed[at:end] * rng.choice((1, 2, 50))
            case 5 | 6 | 7:
                number = rng.choice(NUMBERS)
                changed[at : at + len(number)] = number
            case 8 | 9:
                changed[at:end] = rng.randbytes(end - at)
            case _ if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def mutated_in_place(data: bytes, rng: Random) -> bytes:
    """The bytes with numbers in the place of others, where they are not zeros."""
    changed = bytearray(data)
    places = [at for at in range(0, len(data), 512) if any(data[at : at + 512])]
    for _ in range(rng.choice((1, 2, 4))):
        at, number = rng.choice(places) + rng.randrange(512), rng.choice(NUMBERS)
        changed[at : at + len(number)] = number
    return bytes(changed[: len(data)])


def mutated_members(data: bytes, rng: Random) -> bytes:
    """A .zip file with a member that is changed, has another name, or is missing."""
    if rng.random() < 0.2:
        return mutated_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at, choice = rng.randrange(len(members)), rng.random()
    name, content = members.pop(at)
    if choice < 0.9:
        is_renamed = choice > 0.75
        members.insert(at, (rng.choice(MEMBERS), content) if is_renamed else (name, mutated_bytes(content, rng)))
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # two members may have one name
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()


def read_everything(path: Path) -> None:
    """Ask all that a command may ask of a table, and read it in pieces and whole; errors of nncli are answers."""
    source = TableSource(path=f"{SCHEMES.get(path.suffix, '')}{path}")

    def describe() -> None:
        reader = open_reader(source)
        for ask in (reader.choice, reader.schema, reader.count_rows, reader.checksum):
            ask()

    for work in (describe, lambda: [*read_chunks(source, rows=10)], lambda: read_table(source)):
        begun = time.process_time()
        with suppress(NncliError):
            work()
        if (seconds := time.process_time() - begun) > SLOW:
            raise TimeoutError(f"{seconds:.1f} s")


def failures(files: dict[str, bytes], mutate: Mutation, numbers: range) -> list[str]:
    """What was no answer when mutations of these files were read: tracebacks, slow ones, and deaths of the process."""
    result: list[str] = []
    context = multiprocessing.get_context("spawn")
    while numbers:
        results, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(files, mutate, numbers, sender))
        process.start()
        sender.close()
        at, end = numbers[0], time.monotonic() + TIMEOUT
        try:
            while results.poll(max(end - time.monotonic(), 0.0)):
                at, failure = results.recv()
                result += [failure] if failure else []
        except EOFError:
            pass
        else:
            process.kill()
        process.join()
        if process.exitcode == 0:
            return result
        result.append(f"number {at}: the process ended with {process.exitcode}")
        numbers = numbers[numbers.index(at) + 1 :]
    return result


def _work(
    files: dict[str, bytes],
    mutate: Mutation,
    numbers: range,
    results: multiprocessing.connection.Connection,
) -> None:
    """Send the number of each mutation before it is read, and what was wrong with it afterwards."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            rng = Random(number)
            name = rng.choice([*files])
            path = Path(folder, f"t{Path(name).suffix}")
            path.write_bytes(mutate(files[name], rng))
            results.send((number, ""))
            try:
                read_everything(path)
            except BaseException:
                results.send((number, f"number {number} of {name}: {traceback.format_exc()}"))
