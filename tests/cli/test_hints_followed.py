"""Every hint of a mistake is followed to the letter: what it names is run, and the error of before is gone.

A hint names commands (`nncli …`), options that are added to the command, and assignments (`--set KEY=VALUE`). A hint
without any is a plain sentence.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Cli, Outcome

ROWS = 60
A = [i % 7 for i in range(ROWS)]
Y = [f"{(i * 37 % 60) / 9:.3f}" for i in range(ROWS)]
TABLES: dict[str, dict[str, list[Any]]] = {
    "plain": {"a": A, "y": Y},
    "numbers_with_commas": {"a": [f'"{i},{i + 10}"' for i in A], "y": Y},
    "words_among_numbers": {"a": [*A[:-9], *["n.k."] * 5, *["x"] * 4], "b": A, "y": Y},
    "durations": {"a": [f"{i % 24}:{i:02}:30" for i in range(ROWS)], "b": A, "y": Y},
    "long_numbers": {"a": [9007199254740993 + 2 * i for i in range(ROWS)], "b": A, "y": Y},
    "other_dates": {"when": [f"{1 + i % 12:02}/{1 + i % 12:02}/2024" for i in range(ROWS)], "b": A, "y": Y},
    "ids": {"key": [f"k{i}" for i in range(ROWS)], "b": A, "y": Y},
    "constant": {"a": A, "b": [1] * ROWS, "y": Y},
    "counts": {"a": A, "y": [min(i % 9 // 2, 4) for i in range(ROWS)]},
    "levels": {"a": A, "y": [["low", "medium", "high"][i % 3] for i in range(ROWS)]},
    "fractions": {"a": A, "y": Y},
    "unordered": {"a": A, "y": [["red", "green", "blue"][i % 3] for i in range(ROWS)]},
    "events": {"time": [1 + i % 20 for i in range(ROWS)], "event": [i % 2 for i in range(ROWS)], "a": A},
    "yes_no": {"a": A, "p": [i % 2 for i in range(ROWS)], "q": [i % 3 % 2 for i in range(ROWS)]},
    "several_marks": {"a": [f'"{i}.{i}"' for i in A], "b": [f'"1,{i}"' for i in A], "y": Y},
}
MISTAKES = [
    "train plain.csv",
    "train",
    "init plain.csv",
    "check plain.csv -t z",
    "check plain.csv -t y --drop z",
    "check plain.csv -t y --set drop=a",
    "check plain.csv -t y --set epoch=3",
    "check plain.csv -t y --set data.drop={}",
    "check plain.csv -t y --set layers=none",
    "check plain.csv -t y --set learning_rate=fast",
    "check plain.csv -t y --set validation=20",
    "check plain.csv -t y --set members=2.5",
    "check plain.csv -t y --set loss=gaussian",
    "check plain.csv -t y --set metric=acuracy",
    "check plain.csv -t y --set foo",
    "check plain.csv -t y --batch-size 8",
    "check plain.csv -t y --set data.header_row=3",
    "check plain.csv y",
    "check c.yaml -t y",
    "check c.yaml --set layers=[4,",
    "check c.yaml --set data.order=low",
    "check plain.csv -t y --set optimizer=adm",
    "check plain.csv -t y --set optimizer.momentum=0.9",
    "check plain.csv -t y --set output_activation=tanh --set loss=cross_entropy",
    "check numbers_with_commas.csv -t y",
    "check words_among_numbers.csv -t y",
    "check durations.csv -t y",
    "check long_numbers.csv -t y",
    "check other_dates.csv -t y",
    "check ids.csv -t y",
    "check constant.csv -t y",
    "check counts.csv -t y",
    "check levels.csv -t y",
    "check fractions.csv -t y --set loss=cross_entropy",
    "check unordered.csv -t y --set loss=ordinal",
    "check events.csv -t time",
    "check events.csv -t event",
    "check yes_no.csv -t p -t q --set loss=mse",
    "check yes_no.csv -t p --set loss=mse",
    "check several_marks.csv -t y",
    "check plain.csv -t y --set loss=survival",
    "check plain.csv -t y --set metric=val_rmse --set validation=0",
    "cross-validate plain.csv -t y --repeats 0",
    "tune plain.csv -t y --search foo",
    "predict plain.csv run",
    "predict run plain.csv -o plain.csv",
    "predict run plain.csv -o out",
    "predict run plain.csv -o folder/ --append",
    "predict run plain.csv --proba",
    "predict run plain.csv --interval 90",
    "predict run plain.csv --prediction-set 0.9",
    "evaluate run plain.csv --per-class",
    "export run",
    "export run -o m.py --proba",
    "threshold run --f1",
    "threshold classes --positive-rate 1.5",
    "threshold classes --recall 2",
    "threshold classes --cost fp=inf,fn=1",
    "threshold classes --save",
    "threshold classes --kappa --f1",
    "threshold classes --kappa",
    "reproduce run --quick 0",
    "reproduce run --quick 99",
    "reproduce run --validation plain.csv",
    "train --resume run --seed 3",
    "train c.yaml --resume run",
    "train c.yaml --time-limit soon",
    "trace plain.csv -t y --rows a",
    "trace plain.csv -t y --step 99",
    "track run",
    "drift run plain.csv --every 0",
    "explain run plain.csv --target z",
    "head gone.csv",
    "head plain.csv --sheet one",
    "show plain.csv",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables, a configuration, and two runs."""
    from nncli import train

    path = tmp_path_factory.mktemp("mistakes")
    for name, columns in TABLES.items():
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        (path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (path / "c.yaml").write_text("data: {path: plain.csv, target: y}\nlayers: [4]\nepochs: 1\n")
    short = ["preset=textbook", "layers=4", "epochs=1"]
    train(str(path / "plain.csv"), target="y", set=short, output=path / "run")
    train(str(path / "unordered.csv"), target="y", set=short, output=path / "colors")
    two = [("no", "yes")[i % 2] for i in range(ROWS)]
    (path / "two.csv").write_text("a,y\n" + "".join(f"{a},{y}\n" for a, y in zip(A, two, strict=True)))
    train(str(path / "two.csv"), target="y", set=short, output=path / "classes")
    return path


OPTION = re.compile(r"(?<![\w=-])--?[a-z][a-z0-9-]*")
WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
PLACEHOLDERS = {
    "RUN": "run",
    "TABLE": "plain.csv",
    "NEW_TABLE": "plain.csv",
    "CONFIG": "c.yaml",
    "COLUMN": "y",
    "FRESH": "plain.csv",
    "COSTS.csv": "gone.csv",
    "NAME": "rmse",
    "KEY=FROM..TO": "learning_rate=1e-3..1e-1",
    "URL": "sqlite:///p.db",
}


def hints_of(outcome: Outcome) -> list[str]:
    """The hints of an outcome: indented lines below messages, and what follows `next:`."""
    lines = (outcome.err + "\n" + outcome.out).splitlines()
    return [line.strip() for line in lines if re.match(r"  [A-Z]", line)]


def options_in(hint: str) -> Iterator[list[str]]:
    """Each option that a hint names, with its value."""
    for match in OPTION.finditer(hint):
        if "nncli" in hint[: match.start()].rsplit(". ", 1)[-1]:
            continue
        rest = hint[match.end() :]
        value = WORD.match(rest[1:]) if rest.startswith(" ") else None
        words = [match[0]]
        if match[0] == "--set" or (value and not value[0][0].islower()) or (value and re.match(r"[\d.'\"(]", value[0])):
            assert value is not None, hint
            words.append(shlex.split(value[0].rstrip(".,;:"))[0])
        elif value and match[0] in VALUED:
            words.append(shlex.split(value[0].rstrip(".,;:"))[0])
        yield [PLACEHOLDERS.get(word, word) for word in words]


VALUED = {"--drop", "--target", "--to", "--loss", "--metric", "--positive", "--output", "-o", "--data", "--search"}


def error_of(outcome: Outcome) -> str | None:
    """The first line of an error, or of the first finding of a check; None without one."""
    found = re.search(r"^(?:nncli|error|warning|note): (?!to edit)(.*)$", outcome.err + outcome.out, re.MULTILINE)
    return found[1] if found else None


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_hint_that_is_followed_to_the_letter_makes_the_mistake_go_away(
    nncli: Cli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    monkeypatch.chdir(folder)
    words = shlex.split(mistake)
    if (
        words[0] in ("check", "trace", "tune", "cross-validate")
        and words[1].endswith(".csv")
        and "preset" not in mistake
    ):
        words += shlex.split("--set preset=textbook --set epochs=1")
    before = nncli(*words)
    for hint in hints_of(before):
        assert "YAML" not in hint or "yaml" in mistake, hint
        assert "under data" not in hint, hint
        for command in commands_in(hint):
            answer = nncli(*command)
            assert "internal error" not in answer.err, command
            assert re.search("no such option|unexpected|requires an argument|missing arg", answer.err) is None, command
        for options in options_in(hint):
            after = nncli(*_with(words, options))
            known = before.err.partition("nncli: ")[2].splitlines()[:1]
            assert "No such option" not in after.err, (hint, options)
            assert "internal error" not in after.err, (hint, options)
            if known and "Remove" not in hint and "eave" not in hint:
                assert known[0] not in after.err.splitlines(), (hint, options)


def commands_in(hint: str) -> Iterator[list[str]]:
    """Each command that a hint names after a colon or `Write`, with placeholders filled in."""
    for match in re.finditer(r"(?:: |Write )nncli ((?:[^.;]|[.;](?! |$))+)", hint):
        yield [PLACEHOLDERS.get(word, word) for word in shlex.split(match[1])]


def _with(words: list[str], options: list[str]) -> list[str]:
    """The command with options added, instead of those of the same name."""
    kept, skip = list[str](), False
    for i, word in enumerate(words):
        if skip:
            skip = False
            continue
        same_key = word == "--set" == options[0] and words[i + 1].partition("=")[0] == options[1].partition("=")[0]
        if word == options[0] and (word != "--set" or same_key) and word not in ("--target", "--drop"):
            skip = len(options) > 1
            continue
        kept.append(word)
    return [*kept, *options]
