"""The order of classes: of numbers, of numbers with words such as `2 stars` or `18-24`, and of words that have one."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
_NUMBER = re.compile(r"(\D*)(\d+(?:[.,]\d+)?)")
_BELOW = ("<", "≤", "under", "below", "less than", "up to", "at most", "younger than")
_ABOVE = (">", "≥", "over", "above", "more than", "at least", "older than")


def word_order(labels: Sequence[str]) -> list[str] | None:
    """The labels (two or more, all different) in the order of the first scale that has all of them; None without.

    >>> word_order(["High", "low", "Very high"])
    ['low', 'High', 'Very high']
    """
    words = [" ".join(re.sub(r"[\W_]+", " ", label.casefold()).split()) for label in labels]
    for ranks in _RANKS:
        if len({ranks.get(word, -1) for word in words} - {-1}) == len(labels):
            return [label for _, label in sorted(zip((ranks[word] for word in words), labels, strict=True))]
    return None


def label_order(labels: Sequence[str]) -> list[str] | None:
    """The labels by `word_order`, or by the first number in each, if the text before it is the same; None without.

    >>> label_order(["65+", "under 18", "18-24", "25-64"])
    ['under 18', '18-24', '25-64', '65+']
    """
    matches = [_NUMBER.match(label.casefold()) for label in labels]
    keys: list[tuple[float, int]] = []
    prefixes = set[str]()
    for match in matches:
        if match is None:
            return word_order(labels)
        before = match[1].strip()
        side = -1 if before in _BELOW else int(before in _ABOVE)
        keys.append((float(match[2].replace(",", ".")), side))
        prefixes |= {before} if side == 0 else set()
    if len(prefixes) > 1 or len(set(keys)) < len(keys):
        return word_order(labels)
    return [label for _, label in sorted(zip(keys, labels, strict=True))]
