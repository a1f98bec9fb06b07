"""Refusing text that readers of CSV disagree about: NUL, a lone carriage return, a quote out of place."""

from __future__ import annotations

import numpy as np

from nncli.data.arrays import BytePositions, Mask
from nncli.data.io.csv.blocks import QUOTE, RETURN, Block, outside_quotes, positions_of
from nncli.errors import DataError, Location


def check_strict_csv(block: Block, source: str, separator: str) -> None:
    """Refuse bytes that readers disagree about: NUL, a carriage return alone, a quote out of place."""
    data = block.data
    if b"\0" in data:
        line = block.line_at(data.index(b"\0"))
        hint = "Most likely it is UTF-16 text or not a text table at all. Save it as UTF-8."
        raise DataError("there is a NUL byte in the text", place=Location(source=source, line=line), hint=hint)
    returns = positions_of(data, RETURN)
    lone = outside_quotes(returns[~is_followed_by(block, returns, b"\n")], block.quotes) if returns.size else returns
    if lone.size:
        raise DataError(
            "there is a carriage return that does not end a line",
            place=Location(source=source, line=block.line_at(int(lone[0]))),
            hint="Save the file with line ends of Unix (\\n) or Windows (\\r\\n).",
        )
    if not block.quotes.size:
        return
    opening, closing = block.quotes[::2], block.quotes[1::2]
    wrong = opening[~is_preceded_by(block, opening, f'{separator}\n"'.encode())]
    if wrong.size:
        raise_misplaced_quote(block, source, int(wrong[0]), "a quote stands in the middle of a cell that is not quoted")
    wrong = closing[~is_followed_by(block, closing, f'{separator}\r\n"'.encode())]
    if wrong.size:
        began = int(opening[int(np.searchsorted(closing, wrong[0]))])
        raise_misplaced_quote(block, source, began, "the cell that a quote opens here goes on after its closing quote")
    if block.quotes.size % 2:
        raise_misplaced_quote(block, source, int(block.quotes[-1]), "the cell that a quote opens here is never closed")


def raise_misplaced_quote(block: Block, source: str, position: int, message: str) -> None:
    raise DataError(
        message,
        place=Location(source=source, line=block.line_at(position)),
        hint='A cell with a quote in it is written in quotes, and the quote inside doubled: "5"" pipe".',
    )


def is_followed_by(block: Block, at: BytePositions, allowed: bytes) -> Mask:
    """Which of the bytes `at` are followed by one of the `allowed` ones; at the end of the text only a quote is."""
    text = block.bytes()
    known = np.zeros(256, np.bool_)
    known[list(allowed)] = True
    right = known[text[np.minimum(at + 1, text.size - 1)]]
    if at.size and at[-1] == text.size - 1:
        right[-1] = QUOTE in allowed
    return right


def is_preceded_by(block: Block, at: BytePositions, allowed: bytes) -> Mask:
    """Which of the bytes `at` come after one of the `allowed` ones, or begin the text."""
    known = np.zeros(256, np.bool_)
    known[list(allowed)] = True
    right = known[block.bytes()[at - 1]]
    if at.size and at[0] == 0:
        right[0] = True
    return right
