"""The order of labels with numbers: ranges, bounds, thousands, factors and units; none where two readings differ."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncli.targets.orders import label_order

LISTED = """
500-999|1,000-4,999|5,000+
500-999|1.000-4.999|5.000+
500|1.000|5.000
500|1,000|5,000
1,00,000|2,00,000|10,00,000
1 000 - 4 999|5 000 - 9 999|10 000+
0,5|1|1,5
0.125|0.250|1.000
1e3|1e4|1e5
<1k|1k-10k|10k-1M|>1M
1k|10k|1M|2B
1-5k|5-10k|>10k
<1k|1-5k|5-10k|>10k
500-1k|1k-2k
1-5 million|6-10 million|>10 million
<1h|1-23 hours|1-2 days|3 weeks|6 months|2 years
<1 day|1-6 days|1-3 weeks|1-11 months|1+ years
<1 month|30-90 days|>3 months
30m|1h|1d
1D|1W|1M|1Y
500 MB|1 GB|2 TB
100 g|1 kg|1 t
5 cm|1 m|10 km
under 5|5-10|over 10
under 5|5 to 9|10 or more
up to 100|100 or more
<5|5|>5
<0|0|>0
<=5|6-10|>10
≤5|5-10|≥10
at most 3|4 to 6|at least 7
-10 to -5|-5–0|0-5
−10–−5|−5–0
<-10|-10--5|-5-0|>0
$0-$50|$50-$100|$100+
<$10k|$10k-$50k|$50k+
$25,000 to under $50,000|$50,000 to under $75,000|$75,000 or more
€1.000–€4.999|€5.000+
0%|<1%|1-5%|>5%
none|<1 day|1-3 days|4+ days
between 1 and 5|between 6 and 10|more than 10
(0, 10]|(10, 20]|(20, inf]
[0,18)|[18,65)|[65,120]
(-inf, 5.0]|(5.0, 10.0]|(10.0, inf)
1 child|2 children|3 or more children
18-24 years|25-64 years|65 years or older
age <18|age 18-24|age 65+
1st|2nd|3rd|10th
1 star|2 stars|10 stars
grade 9|grade 10
level-1|level-2|level-10
Level - 1|Level - 2
1990-99|2000-09|2010-19
1980s|1990s|2000s
2019-20|2020-21|2021-22
before 2000|2000-2010|after 2010
10..20|20..30
0–3|3–5|5–7
"""


@pytest.mark.parametrize("line", LISTED.split("\n")[1:-1])
def test_labels_with_numbers_are_in_the_order_of_the_numbers(line: str) -> None:
    labels = line.split("|")
    assert label_order(sorted(labels)) == labels
    assert label_order(labels[::-1]) == labels


UNREADABLE = """
1k|1000
1k|1.000
1k|1,000
1M|1,000,000
1.500|1500
12m|1y
60m|1h
12 months|1 year
30 days|1 month
10%|10 percent
3-5|3 to 5|6
0-3|2-5
10 or more|over 20
5+|5
>5|5-7
<5|<10
<5|3-10
10-5|20-15
1d|1m|1y
1.125|2|3
1,000|1.500|2
1M|1h|5
$5|€10
5 kg|10 cm
5|10 kg
10 stone|5 pounds
route 5|line 7
5 a|5 b
1|x
90s|00s|10s
1-2-3|4-5-6
1/2|3/4
8am|5pm
"""


@pytest.mark.parametrize("line", UNREADABLE.split("\n")[1:-1])
def test_labels_that_overlap_are_equal_or_have_two_readings_have_no_order(line: str) -> None:
    labels = line.split("|")
    assert label_order(labels) is None
    assert label_order(labels[::-1]) is None


def test_the_decimal_mark_of_the_table_decides_between_two_readings() -> None:
    assert label_order(["2", "3", "1,125"], ",") == ["1,125", "2", "3"]
    assert label_order(["2", "3", "1,125"], ".") == ["2", "3", "1,125"]
    assert label_order(["2", "3", "1.125"], ",") == ["2", "3", "1.125"]


GROUPINGS: dict[str, Callable[[int], str]] = {
    "5000": str,
    "5,000": lambda number: f"{number:,}",
    "5 000": lambda number: f"{number:,}".replace(",", " "),
    "5.000": lambda number: f"{number:,}".replace(",", "."),
}


@given(data=st.data())
def test_ranges_with_bounds_are_in_order(data: st.DataObject) -> None:
    grouping = data.draw(st.sampled_from([*GROUPINGS]))

    def draw(*texts: str) -> str:
        return data.draw(st.sampled_from(texts))

    edges = sorted(
        data.draw(
            st.sets(
                st.integers(-20_000, 20_000) if draw("-", "+") == "-" else st.integers(1, 20_000),
                min_size=2,
                max_size=6,
            )
        )
    )
    form = f"{draw('', '$')}{{}}{draw('', ' years', '%')}"
    texts = [form.format(GROUPINGS[grouping](edge)) for edge in edges]
    to = draw("-", " - ", "–", " to ")
    ranges = [f"{low}{to}{high}" for low, high in pairwise(texts)]
    below, above = draw("<{}", "under {}", "up to {}", "{} or less"), draw(">{}", "{}+", "over {}", "{} or more")
    labels = [below.format(texts[0]), *ranges, above.format(texts[-1])]
    kept = data.draw(st.sets(st.sampled_from(range(len(labels))), min_size=2))
    labels = [labels[place] for place in sorted(kept)]
    order = label_order(data.draw(st.permutations(labels)))
    if grouping == "5.000":  # some may also be decimals
        assert order in (labels, None)
    else:
        assert order == labels


@pytest.mark.slow
@given(data=st.data())
def test_ranges_that_overlap_have_no_order(data: st.DataObject) -> None:
    low, middle, high, top = sorted(data.draw(st.sets(st.integers(0, 99), min_size=4, max_size=4)))
    bounds = st.sampled_from([f"{low}-{high}", f"<{high}", f"{high} or less"])
    above = st.sampled_from([f"{middle}-{top}", f">{middle}", f"{middle}+"])
    labels = [data.draw(bounds), data.draw(above), f"{top + 1} to {top + 2}"]
    assert label_order(data.draw(st.permutations(labels))) is None


@pytest.mark.slow
@given(data=st.data())
def test_factors_multiply(data: st.DataObject) -> None:
    factors = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "m": 10**6, "B": 10**9, " thousand": 10**3, " million": 10**6}
    tenths = st.tuples(st.integers(1, 9_999), st.sampled_from(list(factors)))
    drawn = data.draw(st.lists(tenths, min_size=2, max_size=6, unique_by=lambda each: each[0] * factors[each[1]]))
    assume(len({factor for _, factor in drawn}) > 1)
    drawn.sort(key=lambda each: each[0] * factors[each[1]])
    labels = [f"{number // 10}.{number % 10}{factor}" for number, factor in drawn]
    assert label_order(data.draw(st.permutations(labels))) == labels


@pytest.mark.slow
@given(data=st.data())
def test_times_are_in_the_order_of_their_lengths(data: st.DataObject) -> None:
    units = (("second", 59), ("minute", 59), ("hour", 23), ("day", 6), ("week", 3), ("month", 11), ("year", 99))
    drawn = data.draw(st.sets(st.sampled_from(range(len(units))), min_size=2))
    short = data.draw(st.booleans())
    labels = []
    for place in sorted(drawn):
        unit, most = units[place]
        name = {"minute": "min", "month": "mo"}.get(unit, unit[0]) if short else f" {unit}s"
        numbers = sorted(data.draw(st.sets(st.integers(1, most), min_size=1, max_size=3)))
        labels += [f"{number}{name}" for number in numbers]
    assert label_order(data.draw(st.permutations(labels))) == labels


@given(text=st.lists(st.text("0123456789.,-–+<>k M$%()[]to'", max_size=9), min_size=2, max_size=4, unique=True))
def test_any_labels_are_all_ordered_or_none(text: list[str]) -> None:
    order = label_order(text)
    assert order is None or sorted(order) == sorted(text)
    assert order == label_order(text[::-1])
