from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.formats.thrift import ThriftError, ThriftReader


def integer(number: int) -> bytes:
    """An integer as zigzag and varint."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def varint(number: int) -> bytes:
    pieces = bytearray()
    while number > 127:
        pieces.append(number & 127 | 128)
        number >>= 7
    return bytes([*pieces, number])


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_read(number: int) -> None:
    reader = ThriftReader(b"\x16" + integer(number) + b"\0rest")
    assert reader.struct() == {1: number}
    assert reader.data[reader.position :] == b"rest"


def test_all_types_are_read() -> None:
    text = b"\x18" + varint(3) + b"abc"
    doubles = b"\x17" + b"\0" * 8
    flags = b"\x11\x12"
    far = b"\x05" + integer(100) + integer(7)
    numbers = b"\x19" + b"\x35" + integer(1) + integer(-1) + integer(2)
    long = b"\x19\xf3" + varint(20) + bytes(range(20))
    pairs = b"\x1b" + varint(1) + b"\x85" + varint(1) + b"k" + integer(5)
    none = b"\x1b\0"
    inner = b"\x1c" + b"\x15" + integer(3) + b"\0"
    result = ThriftReader(b"".join((text, doubles, flags, far, numbers, long, pairs, none, inner, b"\0"))).struct()
    assert result == {
        1: b"abc",
        2: bytes(8),
        3: True,
        4: False,
        100: 7,
        101: [1, -1, 2],
        102: [*range(20)],
        103: [(b"k", 5)],
        104: [],
        105: {1: 3},
    }


@pytest.mark.parametrize(
    "data", [b"", b"\x15", b"\x18\xff\x01", b"\x19\xf5\xff\xff\x03", b"\x1c" * 40, b"\x1d\0", b"\x15" + b"\xff" * 12]
)
def test_damaged_structures_are_refused(data: bytes) -> None:
    with pytest.raises(ThriftError):
        ThriftReader(data).struct()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_structure_or_an_error(data: bytes) -> None:
    try:
        ThriftReader(data).struct()
    except ThriftError:
        return
