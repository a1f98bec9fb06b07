"""Other spellings of the values that a model knows, read only if they can mean one thing.

A model reads these besides the spelling of its training rows: 1,234.5 for 1234.5, 1200.5 in a column of `$530.99`,
` red` for `red`, TRUE for `true`, 3.0 for the category 3. Spellings that could be another value stay errors, or unseen
categories: 1,234 may be a decimal comma, and 0.12 in a column of percent may be 12 %. So does what suggests that the
table has another decimal mark, since other cells would then be read wrongly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import polars as pl

from nncli.data.dialect import CsvDialect
from nncli.data.number_and_date_forms import MINUS_BEHIND, NO_CENTS, PARENTHESES, PERCENT, other_forms

ENGLISH = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1"))
BOOLEAN_PAIRS = frozenset(map(frozenset, ENGLISH))
"""Spellings of the two values of a boolean column, in lower case."""
NO_YES = {
    frozenset(pair): pair[1]
    for pair in (
        *ENGLISH,
        ("negative", "positive"),
        ("nein", "ja"),
        ("n", "j"),
        ("falsch", "wahr"),
        ("non", "oui"),
        ("n", "o"),
        ("faux", "vrai"),
        ("no", "sí"),
        ("no", "sì"),
        ("no", "si"),
        ("n", "s"),
        ("não", "sim"),
        ("nao", "sim"),
        ("nee", "ja"),
        ("nej", "ja"),
        ("nei", "ja"),
        ("nei", "já"),
        ("ei", "kyllä"),
        ("ei", "jah"),
        ("nie", "tak"),
        ("ne", "ano"),
        ("nie", "áno"),
        ("ne", "da"),
        ("nu", "da"),
        ("nem", "igen"),
        ("ne", "taip"),
        ("nē", "jā"),
        ("hayır", "evet"),
        ("όχι", "ναι"),
        ("нет", "да"),
        ("не", "да"),
        ("ні", "так"),
        ("いいえ", "はい"),
        ("否", "是"),
        ("아니요", "예"),
        ("không", "có"),
        ("tidak", "ya"),
        ("नहीं", "हाँ"),
        ("لا", "نعم"),
        ("לא", "כן"),
    )
}
"""The word for yes of two words that mean no and yes in some language, in lower case."""
YES = frozenset(NO_YES.values())
NO = frozenset(word for pair, yes in NO_YES.items() for word in pair if word != yes)
WHOLE_NUMBER = r"^[+-]?(?:0|[1-9][0-9]*)\.0+$"


def alternative_numbers(words: pl.Series, dialect: CsvDialect, unit: str | None) -> pl.Series:
    """Parse cells that are not numbers in the training spelling as Float64, null where they have no single meaning.

    A cell without the `unit` is read unless this is a percent sign. A cell with another unit is not.
    """
    bare = words.str.strip_chars().str.replace("[−–]", "-")
    if unit is not None:
        stripped = strip_unit(bare, unit)
        bare = stripped if unit in PERCENT else stripped.zip_with(stripped.is_not_null(), strip_unit(bare, PARENTHESES))
    numbers = pl.Series(words.name, [None] * len(words), dtype=pl.Float64)
    for between, form in other_forms(dialect.decimal, dialect.thousands):
        plain = bare.set(~bare.str.contains(rf"^[+-]?(?:{form})$"), None)
        plain = plain.str.replace_all(between, "") if between else plain
        parsed = plain.str.replace(dialect.decimal, ".", literal=True).cast(pl.Float64, strict=False)
        numbers = numbers.zip_with(numbers.is_not_null(), parsed)
    return numbers


def boolean_numbers(words: pl.Series) -> pl.Series:
    """1 for true and 0 for false in any case, null for other cells."""
    keys = words.str.strip_chars().str.to_lowercase()
    return keys.replace_strict({"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64)


def alternative_categories(words: pl.Series, categories: Sequence[str]) -> pl.Series:
    """The one of the `categories` that each cell means, null where it means none, or two of them.

    Spaces around a cell do not count, nor the zeros of a whole number (3.0 for 3), nor the case of true and false or
    yes and no, if these are all categories.
    """
    folds = folds_case(categories)
    keys, names = unique_keys(categories, folds_case=folds)
    return category_keys(words, folds_case=folds).replace_strict(keys, names, default=None, return_dtype=pl.String)


def unique_keys(categories: Sequence[str], *, folds_case: bool) -> tuple[pl.Series, pl.Series]:
    """The keys that one category alone has, and these categories."""
    names = pl.Series("known", list(categories), dtype=pl.String)
    keys = category_keys(names, folds_case=folds_case)
    unique = keys.is_unique()
    return keys.filter(unique), names.filter(unique)


def folds_case(categories: Sequence[str]) -> bool:
    """Whether categories are the two words of a boolean column, which are read in any case."""
    return frozenset(text.strip().lower() for text in categories) in BOOLEAN_PAIRS


def yes_of(words: Sequence[str]) -> str | None:
    """The one of two words that means yes, as in nein and ja; None for other words."""
    plain = {word.strip().lower(): word for word in words}
    yes = NO_YES.get(frozenset(plain))
    return plain[yes] if yes is not None and len(plain) == len(words) else None


def category_keys(words: pl.Series, *, folds_case: bool) -> pl.Series:
    """The words in a form that is the same for all spellings of a category."""
    keys = words.str.strip_chars()
    keys = keys.str.to_lowercase() if folds_case else keys
    return keys.str.replace(r"\.0+$", "").zip_with(keys.str.contains(WHOLE_NUMBER), keys)


CURRENCY_CODES = (
    "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KES|KRW|MAD|MXN|MYR|NGN|NOK|"
    "NZD|PEN|PHP|PKR|PLN|RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
SIGN = rf"(?:\b[A-Z]{{1,2}})?\p{{Sc}}|[%‰]|(?:{CURRENCY_CODES})"
"""US$, €, %, EUR."""
NUMBER_WITH_SIGN = rf"^[\s(+-]*({SIGN})[\s+-]*[0-9.,]|[0-9.,]\s*({SIGN})[\s)]*$"
AFTER_NUMBER = r"^\s*[+\-−–]?\s*[0-9.,][0-9.,'’_ \x{a0}\x{202f}]*"
FIRST_LETTER, LETTERS = r"[\p{L}\p{Sc}°%″\"µ]", r"[\p{L}\p{Sc}°µ/. ]"
PER_MANY = r"(?:/ ?10{1,3} ?\p{L}{1,8}[23²³]?)?"
NUMBER_WITH_WORD = (
    rf"{AFTER_NUMBER}(?:\s({FIRST_LETTER}{LETTERS}{{0,18}}[23²³]?{PER_MANY})|"
    rf"((?:[mgtlhsd\"″]|{FIRST_LETTER}(?:[23²³]|{LETTERS}{{1,18}}[23²³]?)){PER_MANY}))\s*$"
)
"""12 kg, 3.5kg, 120 m², 25 °C, 5 sq ft, 8.2 l/100km: the unit stands behind the number, since A12 and T5 are codes, 1e
and 2e."""
UNIT_ROWS = 1000
"""Cells from which the word behind the numbers follows."""
MEASURES = (
    "mm|cm|dm|m|km|in|ft|yd|mi|mg|g|kg|t|oz|lb|lbs|ml|cl|dl|l|gal|m²|km²|ha|m2|km2|m³|m3|ms|s|sec|min|h|hr|"
    "hrs|d|days|weeks|months|years|Hz|kHz|MHz|GHz|B|kB|KB|MB|GB|TB|W|kW|MW|GW|Wh|kWh|MWh|V|kV|A|mA|Pa|hPa|kPa|bar|psi|°C|°F|K|kcal|kJ|J|m/s|km/h|mph"
)
"""Units of which no column has several by accident, as it may have the letters of 12a and 12b."""
IN_PARENTHESES = r"^\s*\(([^()+-]*[0-9][^()+-]*)\)\s*$"
AS_IN_ACCOUNTING = rf"{IN_PARENTHESES}|^[^\p{{L}}]*{NO_CENTS}|{MINUS_BEHIND}"
AMBIGUOUS_THOUSANDS = r"[1-9][0-9]{{0,2}}{mark}[0-9]{{3}}\b"
"""1.234: a fraction of three digits, or one thousand."""


def infer_unit(cells: pl.Series) -> str | None:
    """The sign of the first cell with a number, or else the word behind the number of most cells with a digit.

    PARENTHESES if they have none and some cell is written as in accounting.
    """
    if cells.dtype != pl.String:
        return None
    with_digits = cells.filter(cells.str.contains("[0-9]"))
    if with_digits.is_empty():
        return None
    groups = with_digits.head(1).str.extract_groups(NUMBER_WITH_SIGN).struct.unnest().row(0)
    sign: str | None = next(filter(None, groups), None)
    if sign is not None:
        return sign
    if with_digits.str.strip_chars().str.contains(AS_IN_ACCOUNTING).any():
        return PARENTHESES
    words = words_behind(with_digits.head(UNIT_ROWS))
    most_frequent = next(iter(words), None)
    if most_frequent is None or 2 * words[most_frequent] <= min(len(with_digits), UNIT_ROWS):
        return None
    return most_frequent


def words_behind(cells: pl.Series) -> dict[str, int]:
    """The words behind the numbers of cells, each with the number of its cells, the most frequent first.

    Numbers with leading zeros (007 b) and exponents (5e3) have none.
    """
    if not cells.str.contains("[0-9]").any():
        return {}
    numbers = cells.filter(~cells.str.contains(r"^\s*[+-]?0[0-9]") & cells.cast(pl.Float64, strict=False).is_null())
    spaced, attached = numbers.str.extract_groups(NUMBER_WITH_WORD).struct.unnest().get_columns()
    words = spaced.fill_null(attached).drop_nulls().str.strip_chars().alias("word")
    counts = words.value_counts().sort(["count", "word"], descending=[True, False])
    return dict(counts.iter_rows())


def is_word(unit: str) -> bool:
    """Whether a unit is a word such as kg, without the sign or code of a currency."""
    is_money = unit in CURRENCY_CODES.split("|") or any(unicodedata.category(c) == "Sc" for c in unit)
    return not is_money and unit not in (*PERCENT, PARENTHESES)


def strip_unit(words: pl.Series, unit: str) -> pl.Series:
    """Remove the unit from cells: null where a cell lacks it; cells without a digit, such as nan, stay as they are."""
    bare = words
    if unit != PARENTHESES:
        sign = re.escape(unit)
        before, after = rf"^[\s(+-]*{sign}", rf"{sign}[\s)]*$"
        once = words.str.count_matches(unit, literal=True) == 1
        has = once & words.str.contains(f"{before}|{after}")
        bare = words.str.replace(unit, "", literal=True).zip_with(has, pl.Series([None], dtype=pl.String))
    bare = bare.str.strip_chars().str.replace(NO_CENTS, "${1}").str.replace(MINUS_BEHIND, "-${1}")
    bare = bare.str.replace(IN_PARENTHESES, "-${1}").str.replace(r"^\s*([+-])\s+", "${1}").str.strip_chars()
    return words.zip_with(~words.str.contains("[0-9]"), bare)


def may_be_thousands(cells: pl.Series, unit: str, dialect: CsvDialect) -> bool:
    """Whether the decimal mark of amounts of money could be a thousands separator: all are like 1.234 €."""
    if unit in (*PERCENT, PARENTHESES) or is_word(unit) or dialect.thousands is not None:
        return False
    marked = cells.filter(cells.str.contains(dialect.decimal, literal=True))
    open_to_both = marked.str.contains(
        rf"^[^0-9]*{AMBIGUOUS_THOUSANDS.format(mark=re.escape(dialect.decimal))}[^0-9]*$"
    )
    return not marked.is_empty() and bool(open_to_both.all())


def are_yes_no(cells: pl.Series) -> bool:
    """Whether all cells of text mean yes or no, or are missing."""
    return bool(category_keys(cells.drop_nulls(), folds_case=True).is_in(list(YES | NO)).all())
