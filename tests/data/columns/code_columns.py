"""Columns of codes and categories that have digits, and columns of numbers with a few misfits."""

from __future__ import annotations

import random
from collections.abc import Callable

R = random.Random


def one_of(*cells: str) -> Callable[[R], str]:
    return lambda r: r.choice(cells)


def digits(r: R, n: int) -> str:
    return str(r.randint(10 ** (n - 1), 10**n - 1))


CODES: dict[str, Callable[[R], str]] = {
    "education": one_of("e1", "e2", "e3"),
    "exponent": lambda r: f"E{r.randint(1, 400)}",
    "signed exponent": one_of("e+1", "e-1"),
    "digit first": one_of("1e", "2e", "3e"),
    "seat": lambda r: f"d{r.randint(1, 30)}",
    "hex": lambda r: f"0x{r.randint(0, 255):x}",
    "line": one_of("M1", "M2", "M5"),
    "range": one_of("1-2", "3-5", "6-9", "10-12"),
    "open range": one_of("1", "2", "3", "4", "5+"),
    "below": one_of("<5", "5-10", ">10"),
    "shoe and shirt": one_of("38", "38.5", "39", "40", "XL", "L", "M"),
    "blood group": one_of("A+", "A-", "0+", "0-", "B+", "AB-"),
    "postcode": lambda r: f"{r.randint(0, 9999):05d}",
    "zip": lambda r: digits(r, 5) + r.choice(["", f"-{digits(r, 4)}"]),
    "uk postcode": lambda r: f"SW{r.randint(1, 9)} {r.randint(1, 9)}AA",
    "icd": lambda r: f"E{r.randint(10, 99)}{r.choice(['', '.0', '.9'])}",
    "chess": lambda r: r.choice("abcdefgh") + str(r.randint(1, 8)),
    "phone": lambda r: f"555-{digits(r, 3)}-{digits(r, 4)}",
    "phone in groups": lambda r: f"6{digits(r, 2)} {digits(r, 3)} {digits(r, 3)}",
    "international phone": lambda r: f"+34 6{digits(r, 2)} {digits(r, 3)} {digits(r, 3)}",
    "area code": lambda r: f"030 {digits(r, 3)} {digits(r, 3)}",
    "ip": lambda r: f"192.168.{r.randint(0, 255)}.{r.randint(1, 255)}",
    "long ip": lambda r: f"192.168.{r.randint(100, 255)}.{r.randint(100, 255)}",
    "version": lambda r: f"{r.randint(0, 3)}.{r.randint(0, 12)}.{r.randint(0, 20)}",
    "time": lambda r: f"{r.randint(0, 23)}:{r.randint(0, 59):02d}",
    "fraction": one_of("1/2", "1/4", "3/4"),
    "rating": one_of("4*", "5*", "3*"),
    "color": lambda r: f"#{r.getrandbits(24):06x}",
    "uuid": lambda r: f"{r.getrandbits(128):032x}",
    "hex digit": lambda r: f"{r.getrandbits(4):x}",
    "roman": one_of("I", "II", "III", "IV", "V", "X"),
    "isbn": lambda r: f"3{digits(r, 8)}{r.choice('0123456789X')}",
    "isbn with dashes": lambda r: f"978-3-16-{digits(r, 6)}-{r.randint(0, 9)}",
    "ordinal": one_of("1st", "2nd", "3rd", "4th"),
    "house": lambda r: str(r.randint(1, 200)) + r.choice(["", "", "a", "b", "c"]),
    "bus": lambda r: r.choice(["", "", "N", "M"]) + str(r.randint(1, 40)),
    "school year": one_of("K", "1", "2", "3", "4", "5", "6"),
    "floor": one_of("1", "2", "3", "G", "B1"),
    "industry": one_of("31-33", "44-45", "48-49", "11", "21", "22", "23"),
    "score": lambda r: f"{r.randint(0, 5)}:{r.randint(0, 5)}",
    "season": lambda r: f"{2000 + r.randint(0, 20)}/{r.randint(10, 30)}",
    "quarter": lambda r: f"{r.randint(2000, 2020)}Q{r.randint(1, 4)}",
    "list marker": one_of("1)", "2)", "3)"),
    "currency": one_of("CHF", "EUR", "USD"),
    "mixed levels": one_of("e1", "e2", "1", "2", "3"),
    "substance": lambda r: f"{digits(r, 4)}-{digits(r, 2)}-{r.randint(0, 9)}",
}
"""Cells by what they are. No column of them is doubted."""


def mostly_numbers(*misfits: str, rare: bool = True) -> Callable[[R], str]:
    share = 0.03 if rare else 0.3
    return lambda r: r.choice(misfits) if r.random() < share else f"{r.random() * 1000:.2f}"


DOUBTED: dict[str, Callable[[R], str]] = {
    "typing error": mostly_numbers("abc", "1.2.3", "x7"),
    "word": mostly_numbers("withheld", "refused", "lost", rare=False),
    "limit": lambda r: r.choice([f"{r.uniform(0.5, 9.0):.2f}"] * 3 + ["<0.5"]),
    "unit in some cells": mostly_numbers("12 kg", "13 kg", rare=False),
    "decimal comma or thousands": lambda r: f"{r.randint(1, 99)},{digits(r, 3)}",
    "thousands": lambda r: f"{r.randint(1, 99)}.{digits(r, 3)}.{digits(r, 3)}",
    "two currencies": lambda r: r.choice("$€") + digits(r, 2),
    "codes in parentheses": lambda r: r.choice(["(5)$", "€5", "7 %"]),
}
"""Cells that are numbers to a person and not to the program."""


def cells_of(make: Callable[[R], str], n: int, missing: float, seed: int = 0) -> list[str | None]:
    """`n` cells, of which about the share `missing` is missing."""
    r = R(seed)
    return [None if r.random() < missing else make(r) for _ in range(n)]
