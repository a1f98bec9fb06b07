"""The order of labels that hold numbers: quantities such as `2 stars`, and ranges such as `18-24`, `<5` or `10k+`.

Labels are read in several ways: by the decimal mark, by what k and m stand for, and by the kind of their units. A way
in which ranges overlap, or two labels are one value, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import inf
from typing import NamedTuple

SCALES = {
    name: factor
    for factor, names in (
        (1e3, "k thousand tsd"),
        (1e5, "lakh lac"),
        (1e6, "m mm mn mio million"),
        (1e7, "crore"),
        (1e9, "b bn billion"),
        (1e12, "t tn trillion"),
    )
    for name in names.split()
}
"""Words by which numbers are multiplied."""
_DAY, _MONTH = 86_400.0, 365.2425 / 12.0 * 86_400.0
TIMES = {
    name: seconds
    for seconds, names in (
        (1e-6, "us µs microsecond"),
        (1e-3, "ms millisecond"),
        (1.0, "s sec second"),
        (60.0, "min minute"),
        (3_600.0, "h hr hour"),
        (_DAY, "d day"),
        (7.0 * _DAY, "w wk week"),
        (14.0 * _DAY, "fortnight"),
        (_MONTH, "mo mth month"),
        (3.0 * _MONTH, "quarter"),
        (12.0 * _MONTH, "y yr year"),
        (120.0 * _MONTH, "decade"),
        (1_200.0 * _MONTH, "century"),
    )
    for name in names.split()
}
LENGTHS = {"nm": 1e-9, "µm": 1e-6, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "dm": 0.1, "m": 1.0, "km": 1e3}
MASSES = {"µg": 1e-6, "ug": 1e-6, "mg": 1e-3, "g": 1.0, "kg": 1e3, "t": 1e6}
VOLUMES = {"µl": 1e-6, "ul": 1e-6, "ml": 1e-3, "cl": 1e-2, "dl": 0.1, "l": 1.0, "hl": 100.0}
BYTES = {"b": 1.0, "byte": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15}
_CLOCK = {name for name, seconds in TIMES.items() if seconds < _DAY}
_CALENDAR_TOLERANCE = 0.04
"""The share by which months and years differ from the same time in days: a month is about 30 days."""
_PLURALS = {"children": "child", "people": "person", "men": "man", "women": "woman", "feet": "foot", "percent": "%"}
_CURRENCIES = "$€£¥₹₽₩₺₪₴₫฿₱¢₦"

_LITERAL = re.compile(
    r"(?:[0-9]{1,3}(?:[ '_][0-9]{3})+(?![0-9])|[0-9]+)(?:[.,][0-9]++)*+(?:e[+-]?[0-9]{1,3}(?![0-9a-z]))?"
    r"|\.[0-9]+|(?<![a-z])(?:inf|infinity)(?![a-z])|∞",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:,[0-9]{2})+,[0-9]{3})(?:\.[0-9]+)?")
_UNGROUPED = re.compile(r"(?:[0-9]+|(?:0|[1-9][0-9]*)?\.[0-9]+)(?:e[+-]?[0-9]+)?")
_SWAPPED = str.maketrans(",.", ".,")


def _any_of(*phrases: str) -> str:
    """The pattern of one of some phrases as whole words; each of `phrases` lists some, separated by slashes."""
    words = sorted("/".join(phrases).split("/"), key=len, reverse=True)
    return rf"(?<![a-z])(?:{'|'.join(words)})(?![a-z])"


_LESS, _MORE = "less/fewer/lower/smaller/younger/shorter/earlier", "more/greater/higher/larger/older/longer/later"
_LESS_THAN, _MORE_THAN = (re.sub(r"(\w+)", r"\1 than", words) for words in (_LESS, _MORE))
_BELOW, _UP_TO, _ABOVE, _FROM = (
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"<(?!=)|{_any_of('under/below/before', _LESS_THAN)}",
        rf"<=|=<|≤|{_any_of('up to/upto/at most/maximum/until', 'no more than/not more than/not over')}",
        rf">(?!=)|{_any_of('over/above/after/beyond/exceeding', _MORE_THAN)}",
        rf">=|=>|≥|{_any_of('at least/from/since/minimum/starting at', 'no less than/not less than/no fewer than')}",
    )
)
"""What stands before a number that bounds a range; it is in the range with _UP_TO and _FROM."""
_OR_LESS = re.compile(rf"(?:\bor|\band|&) {_any_of('under/below/before', _LESS)}", re.IGNORECASE)
_OR_MORE = re.compile(
    rf"^ ?\+|\+ ?$|(?:\bor|\band|&) {_any_of('over/above/up/upward/upwards/after', _MORE)}|{_any_of('plus/upwards')}",
    re.IGNORECASE,
)
"""What stands behind such a number, which is in the range."""
_TO = re.compile(rf"{_any_of('to/through/thru/and')}|&|-", re.IGNORECASE)
_SIGN = r"(?<![^\W_])[-+]"
_AHEAD = re.compile(
    rf"(?P<words>.*?)(?:(?P<before>{_SIGN})?(?P<currency>[{_CURRENCIES}]) ?(?P<behind>{_SIGN})?|(?P<sign>{_SIGN}))?"
)


class _Number(NamedTuple):
    """A number as it is written, with its sign, the text after it, and its currency."""

    negative: bool
    literal: str
    tail: str
    currency: str

    @classmethod
    def of(cls, ahead: re.Match[str], literal: str, tail: str) -> _Number:
        """The number behind the match of _AHEAD."""
        currency = re.search(f"[{_CURRENCIES}]", tail)
        negative = "-" in (ahead["before"], ahead["behind"], ahead["sign"])
        tail = re.sub(f"[{_CURRENCIES}]|^(?:st|nd|rd|th)(?![a-z])", "", tail).strip()
        return cls(negative, literal, tail, ahead["currency"] or (currency[0] if currency else ""))

    @property
    def is_zero(self) -> bool:
        return re.fullmatch("0+", self.literal) is not None


class _Quantity(NamedTuple):
    """A label: the words before its numbers, and the ends of its range, the same for one number; None for no end."""

    prefix: str
    low: _Number | None
    high: _Number | None
    low_open: bool = False
    high_open: bool = False

    @property
    def numbers(self) -> list[_Number]:
        numbers = [self.low] if self.is_point else [self.low, self.high]
        return [number for number in numbers if number is not None]

    @property
    def is_point(self) -> bool:
        return self.low is self.high


_ZERO = _Number(negative=False, literal="0", tail="", currency="")


def quantity_orders(labels: Sequence[str], texts: Sequence[str], decimal: str) -> list[list[str]]:
    """The order of labels for each way to read their `texts`, which have plain dashes and spaces.

    It is empty where two of them are the same number, so that no other way may order them. The `decimal` mark is that
    of the table.
    """
    quantities = list[_Quantity]()
    for text in texts:
        quantity = _interval(text) or _quantity(text)
        if quantity is None:
            return []
        quantities.append(quantity)
    points = [q for q in quantities if q.is_point and not q.numbers[0].is_zero]
    of_numbers = {number.currency for q in quantities for number in q.numbers}
    if not _are_of_one({q.prefix for q in quantities}, {q.prefix for q in points}) or not _are_of_one(
        of_numbers, {q.numbers[0].currency for q in points}
    ):
        return []
    return [
        order
        for mark in _decimal_marks([number.literal for q in quantities for number in q.numbers], decimal)
        for scaled, joint in product((True, False), repeat=2)
        for order in _orders(labels, quantities, mark, scaled=scaled, joint=joint)
    ]


def _decimal_marks(literals: Sequence[str], decimal: str) -> str:
    """The decimal marks that numbers may have: that of the table or the usual one, unless they tell another."""
    marks = [mark for mark in ".," if all(_parse(literal, mark) is not None for literal in literals)]
    has_point, has_comma = (any(mark in literal for literal in literals) for mark in ".,")
    if len(marks) < 2 or has_point == has_comma:
        return "".join(marks) if has_point or has_comma else "."
    if decimal == "," or has_comma:  # 1,000 is one thousand but in a table with a decimal comma
        return decimal
    # Nobody writes 5 as 5.000 beside 500.
    is_grouped = any(literal.endswith(".000") for literal in literals) and any("." not in each for each in literals)
    return "," if is_grouped else ".,"


def _are_of_one(words: set[str], of_points: set[str]) -> bool:
    """Whether numbers have the same `words`. Ranges may lack them, single numbers may not."""
    return len(words - {""}) <= 1 and (not of_points or of_points == (words - {""} or {""}))


def _interval(text: str) -> _Quantity | None:
    """A range such as `(0, 10]`."""
    match = re.fullmatch(r"([\[(])(.+)([\])])", text)
    if match is None:
        return None
    ends = re.split(r" ?; ?|, ", match[2])
    ends = ends if len(ends) == 2 else match[2].split(",")
    numbers = [re.fullmatch(rf"([-+]?)({_LITERAL.pattern})", end, re.IGNORECASE) for end in ends]
    of_ends = [_Number(number[1] == "-", number[2], "", "") for number in numbers if number]
    if not len(of_ends) == len(ends) == 2:
        return None
    low, high = of_ends
    return _Quantity("", low, high, low_open=match[1] == "(", high_open=match[3] == ")")


def _quantity(text: str) -> _Quantity | None:
    """A label of one or two numbers and words; None if these say nothing, or too much, about the ends of a range."""
    if text.casefold() in ("none", "zero", "nil"):
        return _Quantity("", _ZERO, _ZERO)
    text = re.sub(r" ?(?:\.{2,3}|…) ?", " to ", text)
    matches = list(_LITERAL.finditer(text))
    if not 1 <= len(matches) <= 2:
        return None
    ahead = _AHEAD.fullmatch(text[: matches[0].start()])
    assert ahead is not None  # it matches any text
    words, bounds = ahead["words"], list[re.Pattern[str]]()
    for pattern in (_UP_TO, _FROM, _BELOW, _ABOVE):
        words, n = pattern.subn(" ", words)
        bounds += [pattern] * n
    words, between = re.subn(r"\bbetween\b", " ", words, flags=re.IGNORECASE)
    prefix, tail = _words(words), text[matches[-1].end() :]
    tail, n_less = _OR_LESS.subn(" ", tail)
    tail, n_more = _OR_MORE.subn(" ", tail)
    if len(bounds) + n_less + n_more > 1:
        return None
    bound = bounds[0] if bounds else None
    number = _Number.of(ahead, matches[-1][0], tail)
    if len(matches) == 1:
        if between:
            return None
        if n_less or bound in (_BELOW, _UP_TO):
            return _Quantity(prefix, None, number, high_open=bound is _BELOW)
        if n_more or bound in (_ABOVE, _FROM):
            return _Quantity(prefix, number, None, low_open=bound is _ABOVE)
        return _Quantity(prefix, number, number)
    middle = text[matches[0].end() : matches[1].start()]
    separator = _TO.search(middle)
    second = _AHEAD.fullmatch(middle[separator.end() :]) if separator else None
    if separator is None or second is None or n_less or n_more or bound in (_BELOW, _UP_TO):
        return None
    upper = next((pattern for pattern in (_UP_TO, _BELOW) if pattern.fullmatch(second["words"].strip())), None)
    if upper is None and _words(second["words"]) not in ("", prefix):
        return None
    if separator[0].lower() in ("and", "&") and not between and (bound is None or upper is None):
        return None
    low = _Number.of(ahead, matches[0][0], middle[: separator.start()])
    high = _Number.of(second, matches[1][0], tail)
    return _Quantity(prefix, low, high, low_open=bound is _ABOVE, high_open=upper is _BELOW)


def _words(text: str) -> str:
    """Words in lower case and the singular, without marks around them, and without old and of age at their end."""
    words = re.sub(r"[\s_:]+", " ", text.casefold()).strip(" .,;()[]-=#")
    return " ".join(_singular(word) for word in re.sub(r" (?:old|of age)$", "", words).split())


def _singular(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if re.search("..(?:s|x|z|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


class _Value(NamedTuple):
    """A number with its unit in the singular, and the unit as it is written."""

    number: float
    unit: str
    written: str


def _orders(
    labels: Sequence[str], quantities: Sequence[_Quantity], decimal: str, *, scaled: bool, joint: bool
) -> Iterator[list[str]]:
    """The order of labels in one way to read them, or in one for each kind of units that they may have.

    If `scaled`, k and m are factors; if `joint`, that of the second number is one of the first, too, as in 1-5k.
    """
    values = list[list[_Value]]()
    for quantity in quantities:
        read = [_value(number, decimal, scaled=scaled) for number in quantity.numbers]
        of_label = [value for value, _ in filter(None, read)]
        if len(of_label) < len(read):
            return
        if len(of_label) == 2:
            (low, high), (factor, factor_high) = of_label, [scale for _, scale in filter(None, read)]
            number = low.number * factor_high if joint and factor == 1.0 else low.number
            number = low.number if number > high.number else number
            if [len(written.literal) for written in quantity.numbers] == [4, 2] and high.number < number:  # 1990-99
                high = high._replace(number=number // 100.0 * 100.0 + high.number)
            unit = low if low.unit else high
            of_label = [_Value(number, unit.unit, unit.written), high]
        values.append(of_label)
    units = {value.unit for of_label in values for value in of_label}
    written = {value.written for of_label in values for value in of_label}
    of_points = {v[0].unit for q, v in zip(quantities, values, strict=True) if q.is_point and v[0].number != 0.0}
    factors: list[Mapping[str, float]] = []
    if _are_of_one(units, of_points):
        factors = [dict.fromkeys(units, 1.0)]
    elif all(value.unit or value.number == 0.0 for of_label in values for value in of_label):
        factors = [{"": 0.0, **table} for table in _unit_tables(units, written) if units - {""} <= table.keys()]
    for of_units in factors:
        order = _range_order(labels, quantities, values, of_units)
        if order is not None:
            yield order


def _value(number: _Number, decimal: str, *, scaled: bool) -> tuple[_Value, float] | None:
    """A number with its unit, and the factor in it; None if it is none with this decimal mark."""
    value, tail, factor = _parse(number.literal, decimal), number.tail, 1.0
    if value is None or re.search("[<>≤≥=+]", tail) or (tail == "s" and number.literal.startswith("0")):  # the 00s
        return None
    scale = re.match(r"([a-z]+)(?![a-z])", tail, re.IGNORECASE) if scaled else None
    if scale and (multiple := SCALES.get(_singular(scale[1].casefold()))):
        factor, tail = multiple, tail[scale.end() :].strip()
    return _Value((-value if number.negative else value) * factor, _words(tail), tail), factor


def _parse(literal: str, decimal: str) -> float | None:
    """The number of a literal; None if it is none with this decimal mark."""
    if not literal[-1].isdigit():
        return inf
    text = re.sub("[ '_]", "", literal).lower()
    text = text.translate(_SWAPPED) if decimal == "," else text
    if _GROUPED.fullmatch(text):
        return float(text.replace(",", ""))
    return float(text) if _UNGROUPED.fullmatch(text) else None


def _unit_tables(units: set[str], written: set[str]) -> Iterator[Mapping[str, float]]:
    """The kinds of units. An m is a meter, a minute or a month; no month beside hours, and no minute as an M alone."""
    yield from (LENGTHS, MASSES, VOLUMES, BYTES)
    if "M" not in written or written & {"H", "S"}:
        yield {**TIMES, "m": 60.0}
    if "m" in units and not units & _CLOCK:
        yield {**TIMES, "m": _MONTH}


class _End(NamedTuple):
    """An end of a range: whether the range is without it, and by how much a value in other units may be the same."""

    value: float
    is_open: bool = False
    tolerance: float = 0.0

    def excess(self, other: _End) -> float:
        """By how much it is above the other end; 0 where the two may be the same."""
        difference = 0.0 if self.value == other.value else self.value - other.value
        in_other_units = (self.tolerance > 0.0) != (other.tolerance > 0.0)
        tolerance = max(self.tolerance, other.tolerance) if in_other_units else 1e-9 * abs(other.value)
        return 0.0 if abs(difference) <= tolerance < inf else difference


def _range_order(
    labels: Sequence[str],
    quantities: Sequence[_Quantity],
    values: Sequence[Sequence[_Value]],
    factors: Mapping[str, float],
) -> list[str] | None:
    """The labels from the lowest range on; None if ranges overlap, none at all if two are the same number."""

    def end(value: _Value, *, is_open: bool) -> _End:
        number, is_calendar = value.number * factors[value.unit], "year" in factors and factors[value.unit] >= _MONTH
        return _End(number, is_open, _CALENDAR_TOLERANCE * abs(number) if is_calendar else 0.0)

    # Beside a class of zeros, and without negative numbers, less than 5 is more than 0.
    pairs = [*zip(quantities, values, strict=True)]
    has_zero = any(q.is_point and v[0].number == 0.0 for q, v in pairs)
    has_less = any(v[0].number < 0.0 or (q.low is None and v[0].number == 0.0) for q, v in pairs)
    lowest = _End(0.0, is_open=True) if has_zero and not has_less else _End(-inf)
    ranges = list[tuple[_End, _End, str]]()
    for label, (quantity, of_label) in zip(labels, pairs, strict=True):
        low = lowest if quantity.low is None else end(of_label[0], is_open=quantity.low_open)
        high = _End(inf) if quantity.high is None else end(of_label[-1], is_open=quantity.high_open)
        if low.value > high.value or (low.value == high.value and (low.is_open or high.is_open)):
            return None
        ranges.append((low, high, label))
    ranges.sort(key=lambda ends: (ends[0].value, ends[1].value))
    for (low, high, _), (next_low, next_high, _) in pairwise(ranges):
        excess = high.excess(next_low)
        is_shared = excess == 0.0 and not high.is_open and not next_low.is_open
        has_point = low.value == high.value or next_low.value == next_high.value
        if is_shared and low.value == high.value and next_low.value == next_high.value:
            return []
        if excess > 0.0 or (is_shared and has_point):
            return None
    return [label for *_, label in ranges]
