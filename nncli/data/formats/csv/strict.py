"""Check that a CSV has no NUL, lone carriage return or misplaced quote, which readers interpret differently."""

from __future__ import annotations

import numpy as np

from nncli.base.errors import DataError, Location
from nncli.data.formats.csv.blocks import NEWLINE, QUOTE, RETURN, Block, outside_quotes, positions_of
from nncli.nn.arrays import BytePositions, Mask

DOUBLE_HINT = 'Write a cell that contains a quote in quotes, with the inner quote doubled: "5"" pipe".'
CLOSE_HINT = (
    "Add the quote that closes the cell, or remove the one at its beginning. If it belongs to the cell, write the cell "
    'in quotes, with the inner quote doubled: """yes, or no".'
)


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
    if block.quotes.size:
        _check_quotes(block, source, separator)


def _check_quotes(block: Block, source: str, separator: str) -> None:
    """Raise a DataError at the first quote that is misplaced."""
    opening, closing = block.quotes[::2], block.quotes[1::2]
    inside = opening[~is_preceded_by(block, opening, f'{separator}\n"'.encode())]
    after = closing[~is_followed_by(block, closing, f'{separator}\r\n"'.encode())]
    start, message, hint = len(block.data), "", DOUBLE_HINT
    if after.size:
        start = int(opening[int(np.searchsorted(closing, after[0]))])
        message = "the quoted cell continues after its closing quote"
        if b"\n" in block.data[start : after[0]]:
            message = f"the quoted cell is not closed before line {block.line_at(int(after[0])):,}, where it continues"
            message += " after a quote"
            hint = CLOSE_HINT
    elif block.quotes.size % 2:
        start, message, hint = int(block.quotes[-1]), "the quoted cell is never closed", CLOSE_HINT
    if inside.size and inside[0] < start:
        start, message, hint = int(inside[0]), "there is a quote inside a cell that is not quoted", DOUBLE_HINT
    if message:
        raise DataError(message, location=Location(source=source, line=block.line_at(start)), hint=hint)


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
