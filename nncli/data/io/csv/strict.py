"""Check that a CSV has no NUL, lone carriage return or misplaced quote, which readers interpret differently."""

from __future__ import annotations

import numpy as np

from nncli.data.arrays import BytePositions, Mask
from nncli.data.io.csv.blocks import NEWLINE, QUOTE, RETURN, Block, outside_quotes, positions_of
from nncli.errors import DataError, Location


def unify_line_ends(block: Block) -> Block:
    """The block with \\n for every \\r outside quotes that does not belong to a \\r\\n.

    In a table of several columns such a \\r can only end a record: within a cell it makes the number of cells differ.
    """
    lone = lone_returns(block)
    if not lone.size:
        return block
    data = bytearray(block.data)
    for position in lone.tolist():
        data[position] = NEWLINE
    return Block(bytes(data), block.quotes, block.line)


def lone_returns(block: Block) -> BytePositions:
    """The positions of carriage returns that are neither inside quotes nor followed by a newline."""
    returns = positions_of(block.data, RETURN)
    return outside_quotes(returns[~is_followed_by(block, returns, b"\n")], block.quotes) if returns.size else returns


def check_strict_csv(block: Block, source: str, separator: str) -> None:
    """Raise a DataError if the block has a NUL byte, a lone carriage return or a misplaced quote."""
    data = block.data
    if b"\0" in data:
        line = block.line_at(data.index(b"\0"))
        hint = "Most likely the file is UTF-16 or not a text table. Save it as UTF-8."
        raise DataError("the text contains a NUL byte", location=Location(source=source, line=line), hint=hint)
    lone = lone_returns(block)
    if lone.size:
        raise DataError(
            "the text contains a carriage return that does not end a line",
            location=Location(source=source, line=block.line_at(int(lone[0]))),
            hint="Save the file with Unix (\\n) or Windows (\\r\\n) line ends.",
        )
    if not block.quotes.size:
        return
    opening, closing = block.quotes[::2], block.quotes[1::2]
    misplaced = opening[~is_preceded_by(block, opening, f'{separator}\n"'.encode())]
    if misplaced.size:
        raise_misplaced_quote(block, source, int(misplaced[0]), "there is a quote inside a cell that is not quoted")
    misplaced = closing[~is_followed_by(block, closing, f'{separator}\r\n"'.encode())]
    if misplaced.size:
        start = int(opening[int(np.searchsorted(closing, misplaced[0]))])
        raise_misplaced_quote(block, source, start, "the quoted cell continues after its closing quote")
    if block.quotes.size % 2:
        raise_misplaced_quote(block, source, int(block.quotes[-1]), "the quoted cell is never closed")


def raise_misplaced_quote(block: Block, source: str, position: int, message: str) -> None:
    raise DataError(
        message,
        location=Location(source=source, line=block.line_at(position)),
        hint='Write a cell that contains a quote in quotes, with the inner quote doubled: "5"" pipe".',
    )


def is_followed_by(block: Block, at: BytePositions, allowed: bytes) -> Mask:
    """Mask of the positions `at` that are followed by an `allowed` byte; the end of the text counts as a quote."""
    text = block.bytes()
    is_allowed = np.zeros(256, np.bool_)
    is_allowed[list(allowed)] = True
    mask = is_allowed[text[np.minimum(at + 1, text.size - 1)]]
    if at.size and at[-1] == text.size - 1:
        mask[-1] = QUOTE in allowed
    return mask


def is_preceded_by(block: Block, at: BytePositions, allowed: bytes) -> Mask:
    """Mask of the positions `at` that are preceded by one of the `allowed` bytes, or by nothing."""
    is_allowed = np.zeros(256, np.bool_)
    is_allowed[list(allowed)] = True
    mask = is_allowed[block.bytes()[at - 1]]
    if at.size and at[0] == 0:
        mask[0] = True
    return mask
