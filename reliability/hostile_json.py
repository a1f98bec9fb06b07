"""JSON texts that parsers disagree on: valid ones, invalid ones, and those that are left to the parser."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from naughty_strings import naughty_strings

DEPTH = 100_000

VALUES = (
    *(
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1",
        "1.0",
        "1e0",
        "1E+2",
        "1e-2",
        "123e65",
        "0e1",
        "1.5e300",
        "-1e-300",
    ),
    *("1e400", "-1e400", "1e-400", "1e99999999999", "0.4e0066999999999999999999", "123123e100000", "-1e+9999"),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "9" * 400,
        "1" * 5000,
    ),
    *("0." + "1" * 5000, "1e" + "0" * 400 + "1", "-" + "9" * 5000 + ".5e-3"),
    *(
        '""',
        '"a"',
        '"\\u0000"',
        '"\\u00e9"',
        '"\\uD83D\\uDE00"',
        '"\\uD800"',
        '"\\uDC00\\uD800"',
        '"\\ud83d x"',
        '"\\"\\\\"',
    ),
    *(
        '"\\/\\b\\f\\n\\r\\t"',
        '"\u2028\u2029"',
        '"\x7f"',
        '"\ufeff"',
        '"\U0010ffff"',
        '" "',
        '"1"',
        '"NaN"',
        '"\\u2028"',
    ),
    *("[]", "{}", "[[]]", "[{}]", '{"":0}', '{"a":{"b":[1,{"c":null}]}}', '[null,1,true,"a",[],{}]'),
)
"""Values that a JSON parser must, or may, take."""

WRONG = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "nul",
        "True",
        "NULL",
        "None",
        "undefined",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "+1",
        "++1",
    ),
    *(
        "01",
        "-01",
        "1.",
        ".5",
        "-.5",
        "-",
        "+",
        "1e",
        "1e+",
        "1eE2",
        "0x1F",
        "0b1",
        "0o7",
        "1_000",
        "1,000",
        "1 2",
        "--1",
        "-a",
    ),
    *("１", "1a", "1.2.3", "0e", "0E+", "2.e3", "9.e+", "1/0", "1+2", "- 1", "-foo", "e1", "Inf"),
    *(
        "'a'",
        '"a',
        'a"',
        '"',
        '"\\"',
        '"\\x41"',
        '"\\u12"',
        '"\\u12G4"',
        '"\\uD83D\\u"',
        '"\\',
        '"\t"',
        '"\n"',
        '"\x00"',
        '"\x1f"',
    ),
    *(
        '"\\a"',
        '"\\u"',
        '"\\\\\\"',
        '\\u0022a"',
        "`a`",
        '"a" "b"',
        '"a"b',
        "\x00",
        "\u2060",
        "a",
        "\xe9",
        "\\n",
        '"\\U0001F600"',
    ),
    *(
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "[1 2]",
        "[1",
        "1]",
        "[1]]",
        '["a"',
        "[1:2]",
        "[x]",
        "[1,\n1\n,1",
        '["": 1]',
    ),
    *(
        "[*]",
        "[<null>]",
        "[1,]]",
        "[[[[",
        '["a\x00"',
        "(1)",
        "[1;2]",
        "[-]",
        "[1]x",
        "[][]",
        "[}",
        "{]",
        "[\u00e9]",
        "[\x0c]",
    ),
    *(
        "{",
        "}",
        "{,}",
        '{"a"}',
        '{"a":}',
        "{a:1}",
        "{'a':1}",
        '{"a":1,}',
        '{"a":1,,"b":2}',
        '{"a" 1}',
        '{"a"::1}',
        "{1:1}",
    ),
    *(
        '{"a":1',
        '{"a":1}}',
        '{"a":1}{}',
        '{"a":1}#',
        '{"a":/*c*/1}',
        '{"a":1}//',
        "{:1}",
        '{"a":1 "b":2}',
        '{"a"=1}',
        "{null:1}",
    ),
    *(
        '{"a":"b"}/',
        '{"a',
        '{"a":tru}',
        "{[]:1}",
        '{"x"::"b"}',
        '{"a":1;"b":2}',
        '{"id":0,,,,,}',
        '{"a":"b"}/**//',
        "{{}}",
    ),
    *(
        "// c\n1",
        "/* c */1",
        "# c",
        "<html>",
        "a: 1",
        "- 1",
        "\ufeff[1]",
        "\x1e{}\n",
        '{"a":1}\n{"a":2}',
        "callback({})",
    ),
)
"""Texts that are no JSON."""

BYTES = (
    *(
        b"\xff",
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\xe9"',
        b'"\xf0\x9f"',
        b'["\x81"]',
    ),
    *(
        b"\xef\xbb\xbf{}",
        b"\xef\xbb",
        b"\xff\xfe{\x00}\x00",
        b"\xfe\xff\x00{\x00}",
        '{"rows": []}'.encode("utf-16"),
        b"\x80abc",
    ),
    *(
        '{"é": 1}'.encode("utf-16-le"),
        '{"é": 1}'.encode("utf-32"),
        '{"é": 1}'.encode("latin-1"),
        b"{}\x00",
        b"{}\xff",
        b"\xe5",
    ),
)
"""Texts in other encodings, or in none."""


def hostile_json(rng: Random, row: dict[str, Any]) -> bytes:
    """A body: a hostile value as the document, as its rows, as a row or as a value of one, or an awkward structure."""
    match rng.randrange(10):
        case 0:
            return rng.choice((*WRONG, *VALUES)).encode("utf-8", "surrogatepass")
        case 1:
            return rng.choice(BYTES)
        case 2:
            return _placed(rng.choice(WRONG), rng, row)
        case 3 | 4:
            return _placed(rng.choice(VALUES), rng, row)
        case 5:
            return _deep(rng)
        case 6:
            return _document(rng, row)
        case 7:
            return _repeated(rng, row)
        case _:
            return _placed(json.dumps(rng.choice(naughty_strings()), ensure_ascii=rng.random() < 0.5), rng, row)


def _placed(text: str, rng: Random, row: dict[str, Any]) -> bytes:
    """A text in place of a value, a row, all rows, a key, or an additional value."""
    name = json.dumps(rng.choice(list(row)))
    others = ", ".join(
        f"{json.dumps(key)}: {json.dumps(value)}" for key, value in row.items() if json.dumps(key) != name
    )
    single = f"{{{others}, {name}: {text}}}"
    forms = (
        single,
        f'{{"rows": [{single}]}}',
        f'{{"rows": [{json.dumps(row)}, {text}]}}',
        f'{{"rows": {text}}}',
        f'{{"rows": [{single}], "other": {text}}}',
        f"{{{others}, {text}: 1}}",
        f'{{"dataframe_records": [{single}]}}',
        f'{{"dataframe_split": {{"columns": [{name}], "data": [[{text}]]}}}}',
        f'{{"instances": [{single}]}}',
        f'{{"inputs": {text}}}',
        f'{{"params": {text}, "instances": [{json.dumps(row)}]}}',
        f'{{"inputs": [{{"name": {name}, "shape": [1], "datatype": "FP64", "data": [{text}]}}]}}',
        f'{{"inputs": [{{"name": {name}, "shape": {text}, "datatype": "BYTES", "data": ["a"]}}]}}',
        f'{{"inputs": [{{"name": {name}, "shape": [1], "datatype": {text}, "data": [1]}}], "parameters": {text}}}',
        f'{{"id": {text}, "outputs": {text}, "inputs": []}}',
        f"[{single}]",
    )
    return rng.choice(forms).encode("utf-8", "surrogatepass")


def _deep(rng: Random) -> bytes:
    """Nesting that no parser should follow by recursion."""
    depth = rng.choice((10, 500, 1000, 5000, DEPTH))
    begin, end = rng.choice((("[", "]"), ('{"a":', "}"), ('[{"rows":', "}]"), ("[[],", "]")))
    inner = begin * depth + "1" + (end * depth if rng.random() < 0.6 else "")
    return (
        rng.choice(("%s", '{"rows": %s}', '{"x": %s}', '{"rows": [{"x": %s}]}', '{"inputs": %s}'))
        .replace("%s", inner)
        .encode()
    )


def _document(rng: Random, row: dict[str, Any]) -> bytes:
    """A document of the wrong shape, as Python's JSON module writes it, with NaN and all."""
    strings = naughty_strings()
    odd: list[Any] = [
        None,
        True,
        1,
        -1,
        0.5,
        1e308,
        2**70,
        float("nan"),
        float("inf"),
        "",
        "a",
        [],
        {},
        [[]],
        [1],
        {"a": 1},
    ]
    odd += [rng.choice(strings), [rng.choice(strings)], {rng.choice(strings): rng.choice(strings)}]
    changed = dict(row)
    for _ in range(rng.randint(1, 4)):
        match rng.randrange(3):
            case 0:
                changed[rng.choice(list(row))] = rng.choice(odd)
            case 1:
                changed[rng.choice(strings)] = rng.choice(odd)
            case _:
                changed.pop(rng.choice(list(row)), None)
    rows: list[Any] = [rng.choice((row, changed, rng.choice(odd))) for _ in range(rng.choice((0, 1, 2, 50)))]
    split = {"columns": list(changed), "data": [list(changed.values())], "index": rng.choice(odd)}
    documents = [
        rows,
        {"rows": rows},
        {"rows": rng.choice(odd)},
        changed,
        {"rows": rows, **changed},
        {"dataframe_split": split},
    ]
    documents += [
        {"dataframe_records": rows},
        {"instances": rng.choice((rows, dict.fromkeys(row, rows)))},
        {"inputs": rows},
    ]
    return json.dumps(rng.choice(documents), ensure_ascii=True).encode()


def _repeated(rng: Random, row: dict[str, Any]) -> bytes:
    """The same key many times, very many rows or columns, and blanks."""
    name, text = rng.choice(list(row)), json.dumps(row)
    match rng.randrange(5):
        case 0:
            return ("{" + ", ".join(f'"{name}": {k}' for k in range(rng.choice((2, 3000)))) + "}").encode()
        case 1:
            return (
                '{"rows": [' + ",".join([rng.choice(("{}", text, "null", "1"))] * rng.choice((101, 20_000))) + "]}"
            ).encode()
        case 2:
            return ("{" + ",".join(f'"c{k}": {k}' for k in range(20_000)) + "}").encode()
        case 3:
            return (rng.choice((" ", "\n", "\t")) * 300_000 + text).encode()
        case _:
            return ('{"rows": [' + text + '], "rows": ' + rng.choice(("[]", text, "1")) + "}").encode()
