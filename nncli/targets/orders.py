"""The order of classes that their names tell: by words, grades, ratings, periods, numbers and ranges of numbers.

The names as a whole decide how each is read. Where two readings of them differ in the order, where ranges overlap, or
two names are one value, there is no order: to guess one would be worse than to ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import takewhile

from nncli.base.text import quote
from nncli.targets.quantities import quantity_orders

SCALES = (
    "lowest/very low/extremely low, low, lower middle, medium/middle/moderate/mid/med/average/normal, upper middle, "
    "high, highest/very high, extremely high",
    "very low, fairly low/rather low, average/medium, fairly high/rather high, very high",
    "none/no/absent/not at all, minimal/trace/very mild/very little, slight/mild/a little/little/minor/slightly, "
    "some/moderate/moderately/somewhat, marked/severe/much/a lot/serious/strong, very severe/very much/extreme/"
    "critical, fatal",
    "none, few, some, many, most, all",
    "never/not at all, almost never/very rarely/hardly ever, rarely/seldom, sometimes/occasionally, "
    "often/frequently/regularly, usually/very often/most of the time, almost always, always/all the time",
    "never, yearly, monthly, weekly, daily, hourly",
    "strongly disagree/disagree strongly/totally disagree, disagree, somewhat disagree/slightly disagree/"
    "disagree somewhat, neutral/neither agree nor disagree/neither/undecided/no opinion/not sure, somewhat agree/"
    "slightly agree/agree somewhat, agree, strongly agree/agree strongly/totally agree",
    "very dissatisfied/very unsatisfied, dissatisfied/unsatisfied, somewhat dissatisfied, "
    "neutral/neither satisfied nor dissatisfied/neither, somewhat satisfied, satisfied, very satisfied",
    "very unhappy, unhappy/not too happy, neutral, happy/pretty happy, very happy",
    "very unlikely, unlikely, neutral/possible, likely, very likely, certain",
    "very negative, negative, neutral, positive, very positive",
    "not important, slightly important, moderately important, important, very important, extremely important",
    "terrible/awful/very bad/very poor, bad/poor/insufficient/unacceptable, fair/average/ok/okay/acceptable/sufficient/"
    "satisfactory/medium/so so, good, very good, premium, excellent/ideal/outstanding/great/perfect",
    "fail, pass, merit, distinction",
    "too little/too few/too low, about right/just right, too much/too many/too high",
    "much worse, worse/worsened/declined, same/the same/unchanged/no change/stable, better/improved, much better",
    "decrease/decreased/down/less, same/the same/unchanged/no change/stable, increase/increased/up/more",
    "tiny/very small, small/little, medium/moderate/mid, large/big, huge/very large/very big",
    "xxxs, xxs/2xs, xs/extra small, s/small, m/medium, l/large, xl/extra large, xxl/2xl, xxxl/3xl, xxxxl/4xl",
    "very short, short, medium/average, long/tall, very long/very tall",
    "very slow, slow, medium/moderate/average, fast, very fast",
    "very young, young, middle aged, old, very old",
    "freezing, very cold, cold, cool, mild/warm/lukewarm, hot, very hot",
    "very easy, easy, medium/moderate/normal, hard/difficult, very hard/very difficult/expert",
    "beginner/novice/basic/elementary, intermediate/medium, advanced/proficient, expert/master",
    "trainee/intern, junior/entry level, mid/mid level/middle/regular, senior, lead/principal, director/head",
    "freshman, sophomore, junior, senior, graduate",
    "minor/trivial, moderate/normal, major, severe/critical, blocker",
    "debug, info/informational, notice, warning, error, critical, alert, emergency",
    "informational, low, medium/moderate, high/important, critical/urgent",
    "bronze, silver, gold, platinum, diamond",
    "no education/none/no schooling/illiterate, preschool, primary/primary school/elementary/elementary school, "
    "lower secondary/middle school, secondary/secondary school/high school/upper secondary/high school graduate, "
    "vocational/some college/post secondary, associate/associates/associate degree/associate s degree, "
    "bachelor/bachelors/bachelor s/bachelor degree/bachelor s degree/college/undergraduate/university/tertiary, "
    "master/masters/master s/master degree/master s degree/graduate/postgraduate, "
    "doctor/doctorate/doctoral/phd/ph d/doctoral degree",
    "monday/mon, tuesday/tue/tues, wednesday/wed, thursday/thu/thur/thurs, friday/fri, saturday/sat, sunday/sun",
    "january/jan, february/feb, march/mar, april/apr, may, june/jun, july/jul, august/aug, september/sep/sept, "
    "october/oct, november/nov, december/dec",
    "i, ii, iii, iv, v, vi, vii, viii, ix, x",
    "zero, one, two, three, four, five, six, seven, eight, nine, ten",
    "first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth",
    "insufficient weight/underweight, normal weight/normal, overweight, overweight level i, overweight level ii, "
    "obese, obesity type i, obesity type ii, obesity type iii",
)
"""Scales of words, lowest first: levels are separated by commas, words for the same level by slashes."""

_RANKS: list[dict[str, int]] = [
    {word: rank for rank, level in enumerate(scale.split(", ")) for word in level.split("/")} for scale in SCALES
]


def word_order(labels: Sequence[str]) -> list[str] | None:
    """The labels (two or more, all different) in the order of the first scale that has all of them; None without.

    Words that all labels begin or end with do not count, as in low risk and high risk.

    >>> word_order(["High", "low", "Very high"])
    ['low', 'High', 'Very high']
    """
    words = [re.sub(r"[\W_]+", " ", label.casefold()).split() for label in labels]
    for names in ([" ".join(label) for label in words], _without_common_words(words)):
        for ranks in _RANKS:
            if len({ranks.get(name, -1) for name in names} - {-1}) == len(labels):
                return [label for _, label in sorted(zip((ranks[name] for name in names), labels, strict=True))]
    return None


def label_order(labels: Sequence[str], decimal: str = ".") -> list[str] | None:
    """The labels, lowest first, if all are read as members of one family and every reading has that order; else None.

    `decimal` is the decimal mark of the table. Grades and ratings are from the worst on.

    >>> label_order(["65+", "under 18", "18-24", "25-64"])
    ['under 18', '18-24', '25-64', '65+']
    >>> label_order(["5,000+", "500-999", "1,000-4,999"])
    ['500-999', '1,000-4,999', '5,000+']
    >>> label_order(["Q1 2023", "Q4 2022"])
    ['Q4 2022', 'Q1 2023']
    """
    texts = [_plain(label) for label in labels]
    if len({*texts}) < len(texts):
        return None
    for certain in (word_order(labels), _rating_order(labels, texts)):
        if certain is not None:
            return certain
    orders = [
        *_period_orders(labels, texts),
        *quantity_orders(labels, texts, decimal),
        *_annotated_orders(labels, texts, decimal),
    ]
    return (orders[0] or None) if orders and all(order == orders[0] for order in orders) else None


_NAME_OF_ANY = r"(?:.*[\W_])?[^\W\d_]|[^0-9<>≤≥+]*[0-9][0-9.,]*|[0-9][0-9.,]*+[^0-9<>≤≥+]*"


def evident_order(labels: Sequence[str]) -> list[str] | None:
    """The `label_order` of labels that tell by themselves that they have one; None for others.

    Those do not that are a letter, or a number with words, as they may be mere names: A and B, group 1 and group 2.
    """
    if word_order(labels) is None and all(re.fullmatch(_NAME_OF_ANY, _plain(label)) for label in labels):
        return None
    return label_order(labels)


def in_order(labels: Sequence[str]) -> str:
    """Labels as messages list them in their order."""
    return " < ".join(map(quote, labels))


def _plain(label: str) -> str:
    """A label with one kind of dashes, of quotes and of spaces."""
    text = re.sub("[\u2010-\u2015\u2212]", "-", label)
    return " ".join(re.sub("[\u2019\u02bc]", "'", text).split())


def _without_common_words(words: Sequence[list[str]]) -> list[str]:
    """The words of each label without those that all begin with, and those that all end with; one is left at least."""

    def common(columns: Iterator[tuple[str, ...]]) -> int:
        return sum(1 for _ in takewhile(lambda column: len({*column}) == 1, columns))

    shortest = min(map(len, words), default=0)
    start = min(common(zip(*words, strict=False)), max(0, shortest - 1))
    end = min(common(zip(*map(reversed, words), strict=False)), max(0, shortest - 1 - start))
    return [" ".join(label[start : len(label) - end]) for label in words]


def _sorted(labels: Sequence[str], keys: Sequence[tuple[int, ...] | None]) -> list[str] | None:
    """The labels by their keys; None if one has no key, or two have the same."""
    keyed = {key: label for key, label in zip(keys, labels, strict=True) if key is not None}
    return [keyed[key] for key in sorted(keyed)] if len(keyed) == len(labels) else None


# Grades and ratings

_MARKS = {"-": -1, "": 0, "+": 1, "++": 2, "+++": 3}
_LETTERS = ("AAA", "AA", "A", "BBB", "BB", "B", "CCC", "CC", "C", "D")
"""Ratings of Standard & Poor's and Fitch, the best first."""
_MIXED_LETTERS = ("Aaa", "Aa", "A", "Baa", "Ba", "B", "Caa", "Ca", "C")
"""Ratings of Moody's, the best first."""


def _rating_order(labels: Sequence[str], texts: Sequence[str]) -> list[str] | None:
    """Letters from the worst to the best: grades A+ to G, ratings AAA to D or Aaa to C."""
    names = _without_common_words([text.replace("_", " ").split() for text in texts])
    if all(name == name.lower() for name in names) and any(len(name) > 1 for name in names):
        names = [name.upper() for name in names]
    for key in (_grade, _letter_rating):
        if (order := _sorted(labels, [key(name) for name in names])) is not None:
            return order
    if all(name == name.upper() for name in names) and any(re.match("[BC]A|AA[1-3]", name) for name in names):
        names = [name.capitalize() for name in names]
    if any(name[1:2] == "a" for name in names):  # A1 alone may also be the lowest level of a language
        return _sorted(labels, [_mixed_letter_rating(name) for name in names])
    return None


def _grade(name: str) -> tuple[int, ...] | None:
    match = re.fullmatch(r"([A-G])(\+{0,3}|-)", name)
    return (-ord(match[1]), _MARKS[match[2]]) if match else None


def _letter_rating(name: str) -> tuple[int, ...] | None:
    match = re.fullmatch(r"([A-D]{1,3})([+-]?)", name)
    return (-_LETTERS.index(match[1]), _MARKS[match[2]]) if match and match[1] in _LETTERS else None


def _mixed_letter_rating(name: str) -> tuple[int, ...] | None:
    match = re.fullmatch(r"([ABC]a{0,2})([1-3]?)", name)
    if match is None or match[1] not in _MIXED_LETTERS:
        return None
    return -_MIXED_LETTERS.index(match[1]), -int(match[2] or "2")  # without a number it is the same as the middle one


# Periods

_MONTHS = {
    name: month
    for month, names in enumerate(
        (
            *("jan january", "feb february", "mar march", "apr april", "may", "jun june"),
            *("jul july", "aug august", "sep sept september", "oct october", "nov november", "dec december"),
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = rf"(?P<part>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_MONTH_NUMBER, _DAY_NUMBER = r"(?P<part>0?[1-9]|1[0-2])", r"(?P<day>0?[1-9]|[12][0-9]|3[01])"
_FULL_YEAR = r"(?:1[6-9]|2[01])[0-9]{2}"
_YEAR = rf"(?P<year>(?:fy ?)?{_FULL_YEAR}|(?:fy ?'?|')[0-9]{{2}})"
_SHORT_YEAR = rf"(?P<year>(?:fy ?)?{_FULL_YEAR}|(?:fy ?)?'?[0-9]{{2}})"
_GAP = r"(?:[ \-/._,]{0,2}| of )"


def _of_year(name: str, numbers: str, *, numbered: bool) -> tuple[str, ...]:
    """The spellings of a part of a year, which may also be `numbered`, as in 1Q23 and 1st quarter 2023."""
    first = rf"(?:{name}) ?(?P<part>{numbers})"
    spellings = (rf"{first}{_GAP}{_YEAR}", rf"{first}[ \-/._]{_SHORT_YEAR}", rf"{_YEAR}{_GAP}{first}")
    return (*spellings, rf"(?P<part>{numbers})(?:(?:st|nd|rd|th) )?(?:{name}){_GAP}{_SHORT_YEAR}")[
        : 4 if numbered else 3
    ]


_PERIODS = (
    _of_year("q|qtr|quarter", "0?[1-4]", numbered=True),
    _of_year("h|half", "0?[12]", numbered=True),
    _of_year("w|wk|cw|kw|week", "0?[1-9]|[1-4][0-9]|5[0-3]", numbered=False),
    (
        *(rf"{_MONTH}{_GAP}{_SHORT_YEAR}", rf"{_YEAR}{_GAP}{_MONTH}"),
        *(rf"{_YEAR}(?:[\-/.]| ?m){_MONTH_NUMBER}", rf"{_MONTH_NUMBER}[\-/.]{_YEAR}"),
    ),
    (
        *(rf"{_YEAR}([\-/]){_MONTH_NUMBER}\2{_DAY_NUMBER}", rf"{_DAY_NUMBER}[ \-]{_MONTH}[ \-]{_YEAR}"),
        rf"{_MONTH} {_DAY_NUMBER},? {_YEAR}",
    ),
    (rf"{_MONTH} {_DAY_NUMBER}", rf"{_DAY_NUMBER}[ \-]{_MONTH}"),
)
"""Quarters, half-years, weeks, months, days, and days of any year, in lower case; labels are all of one kind."""
_FIRST_YEAR = 70
"""The least year of two digits that is one of the twentieth century."""


def _period_orders(labels: Sequence[str], texts: Sequence[str]) -> Iterator[list[str]]:
    """The order in time, for each kind of period that all labels may be."""
    for spellings in _PERIODS:
        order = _sorted(labels, [_period(text.casefold(), spellings) for text in texts])
        if order is not None:
            yield order


def _period(text: str, spellings: tuple[str, ...]) -> tuple[int, ...] | None:
    """The year, the number of the period in it, and the day."""
    match = next(filter(None, (re.fullmatch(spelling, text) for spelling in spellings)), None)
    if match is None:
        return None
    parts = {"year": "2000", "day": "1"} | match.groupdict()
    digits = re.sub("[^0-9]", "", parts["year"])
    year = int(digits) if len(digits) == 4 else int(digits) + (1900 if int(digits) >= _FIRST_YEAR else 2000)
    part, day = _MONTHS.get(parts["part"]) or int(parts["part"]), int(parts["day"])
    if "day" in match.groupdict():
        try:
            date(year, part, day)
        except ValueError:
            return None
    return year, part, day


# Labels that tell their order twice

_NUMBERED = re.compile(
    r"\(?(?P<number>[0-9]{1,3})(?: ?[:.)=(] ?| - |(?P<gap>[ _]))"
    r"(?P<name>[^\W\d_].*|[<>≤≥].*|(?:(?<=[:.)=] )|(?<=\())[0-9].*)"
)
_WITH_RANGE = re.compile(
    r"(?P<name>[^\W\d_](?:(?! ?[(\[]|:| - ).)*+)(?: ?[(\[]|: ?| - )(?P<range>[^()\[\]0-9]*+[0-9][^()\[\]]*+)[)\]]?"
)


def _annotated_orders(labels: Sequence[str], texts: Sequence[str], decimal: str) -> Iterator[list[str]]:
    """The orders of numbers and of names in labels such as `1 - low` or `low (0-10)`.

    Numbers before names that have no order are their order only where a mark divides them, not in `1 mild`.
    """
    numbered = [match for text in texts if (match := _NUMBERED.fullmatch(text))]
    if len(numbered) == len(labels):
        of_names = _order_by(labels, [match["name"].rstrip(")") for match in numbered], decimal)
        by_number = _sorted(labels, [(int(match["number"]),) for match in numbered])
        if by_number is not None and (of_names is not None or all(match["gap"] is None for match in numbered)):
            yield by_number
            yield from [of_names] if of_names is not None else []
    with_range = [match for text in texts if (match := _WITH_RANGE.fullmatch(text))]
    if len(with_range) == len(labels):
        by_range = _order_by(labels, [match["range"].strip() for match in with_range], decimal)
        if by_range is not None:
            yield by_range
            of_names = _order_by(labels, [match["name"] for match in with_range], decimal)
            yield from [of_names] if of_names is not None else []


def _order_by(labels: Sequence[str], parts: Sequence[str], decimal: str) -> list[str] | None:
    """The labels in the order of a part of each; None if it has none."""
    order = label_order(parts, decimal)
    return None if order is None else [labels[parts.index(part)] for part in order]
