"""Exported C files, compiled with gcc and clang, with their sanitizers, and beside other C files."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.data.dialect import CsvDialect
from nncli.data.table import Table
from nncli.exporters.formats import ModelInfo
from nncli.exporters.read_inputs import read_inputs
from nncli.exporters.runtimes import c_compiler
from nncli.integrations.c.source_file import to_c
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program, build, run_nodes
from nncli.nn.program.values import Builder
from tests.cli.support import ROOT
from tests.nn.program.support import answers_of, number
from tests.runtimes.hostile import category_input, frames, program_of, programs, texts, titles_of

INFO = ModelInfo('run */ "??/\n', "0123abcd", "1.0")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
CHECKED = (*STRICT, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = ("gcc", "clang")
INPUTS: list[ProgramInput] = [
    NumberInput("age"),
    category_input("city", ["Oslo", "Rome", "3"]),
    DateInput("born", ("%d.%m.%Y",)),
    TextInput("notes", ("good", "not good", "όχις")),
]


def written(tmp_path: Path, program: Program, name: str = "model.c") -> Path:
    file = tmp_path / name
    file.write_text(to_c(program, INFO), "utf-8")
    return file


def compiled(tmp_path: Path, program: Program, compiler: str = "gcc", *, flags: Sequence[str] = CHECKED) -> Path:
    target = tmp_path / "program"
    command = [compiler, *flags, "-DMAIN", str(written(tmp_path, program)), "-o", str(target), "-lm"]
    subprocess.run(command, check=True)
    return target


def ran(program: Path, table: str | bytes) -> subprocess.CompletedProcess[bytes]:
    data = table.encode() if isinstance(table, str) else table
    return subprocess.run([program], input=data, capture_output=True, check=False)


def assert_same_answers(program: Program, rows: pl.DataFrame, result: pl.DataFrame) -> None:
    dialect = CsvDialect(decimal=program.decimal, thousands=program.thousands)
    values = run_nodes(program, read_inputs(program, Table(rows, "t", dialect=dialect)))
    wanted = answers_of(program, values)
    assert result.columns == titles_of(program)
    if program.outputs[0].labels:
        assert result["prediction"].to_list() == wanted.pop("prediction")
        result = result[:, 1:]
    numbers = np.column_stack([*wanted.values()]).astype(np.float32)
    np.testing.assert_array_max_ulp(result.to_numpy().astype(np.float32), numbers, maxulp=1)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_both_compilers_accept_a_file_without_a_warning(tmp_path: Path, compiler: str, level: str) -> None:
    for program in (program_of(INPUTS), program_of(INPUTS, ["a", "b"]), program_of(INPUTS[:1], targets=["y", "z"])):
        file = written(tmp_path, program)
        for defined in ([], ["-DMAIN"], ["-DMAIN", "-DCHECK"]):
            command = [compiler, *STRICT, level, *defined, "-c", str(file), "-o", str(tmp_path / "model.o")]
            subprocess.run(command, check=True)


@pytest.mark.parametrize("compiler", COMPILERS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_hostile_programs_and_tables_have_the_answers_of_the_interpreter(
    tmp_path: Path, compiler: str, data: st.DataObject
) -> None:
    program = data.draw(programs())
    rows = data.draw(frames(program))
    file = written(tmp_path, program)
    target = c_compiler.compile_program(file, tmp_path, compiler, CHECKED)
    assert_same_answers(program, rows, c_compiler.run_rows(target, rows, c_compiler.label_type(file)))


def test_a_table_that_a_single_number_is_repeated_by_is_not_defined(tmp_path: Path) -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    repeated = x.columns((0,) * 16).sum() + x.columns((0, -1, -1)).sum()
    compiled(tmp_path, build(builder, number(repeated), "float64"))


def test_a_program_reads_csv_with_any_separator_order_and_line_end(tmp_path: Path) -> None:
    target = compiled(tmp_path, program_of(INPUTS))
    plain = "age,city,born,notes\n1.5,Rome,1.2.2024 13:45,not GOOD ΌΧΙΣ\nNA,3,,\n,Oslo,2024-05-31,\n"
    wanted = ran(target, plain)
    assert (wanted.returncode, wanted.stderr) == (0, b"")
    assert wanted.stdout.decode().splitlines()[0] == "prediction"
    assert len(wanted.stdout.splitlines()) == 4
    other = (
        '\ufeffnotes;"born";more;city;age\r\n"not ""GOOD"" ΌΧΙΣ";1.2.2024 13:45;;Rome;1.5\r\n'
        "\r\n;;x; 3.0;NA\r\n;2024-05-31;;Oslo;"
    )
    assert ran(target, other).stdout == wanted.stdout


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("age\nx\n", 'error: row 1, column "age": "x" is not a finite number'),
        ("age\n1\n1e999\n", 'error: row 2, column "age": "1e999" is not a finite number'),
        ('age\n"a\x1b[0m"\n', 'error: row 1, column "age": "a\\x1b[0m" is not a finite number'),
        ("b\n1\n", 'error: header, column "age": there is no such column'),
        ("age,age\n1,2\n", 'error: header, column "age": there are two columns of that name'),
        ("age,b\n1\n", "error: row 1: the line has fewer cells than the header"),
        ("age,b\n1,2,3\n", "error: row 1: the line has more cells than the header"),
        ('age,b\n1,"2\n', "error: row 1: a quoted cell is never closed"),
        ('age,b\n1,"2"x\n', "error: row 1: a quoted cell continues after its closing quote"),
        ("age\n1\0\n", "error: row 1: there is a NUL byte"),
        ("age,b\n1," + "x" * (1 << 20) + "\n", "error: row 1: the line is too long"),
        ("", 'error: header, column "age": there is no such column'),
    ],
)
def test_what_cannot_be_read_is_named_and_ends_the_program(tmp_path: Path, table: str, message: str) -> None:
    result = ran(compiled(tmp_path, program_of([NumberInput("age")])), table)
    assert result.returncode == 4
    assert result.stderr.decode().startswith(message)


def test_text_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    result = ran(compiled(tmp_path, program_of([NumberInput("x"), TextInput("t", ("a",))])), b"x,t\n1,\xe9\n")
    assert result.returncode == 4
    assert result.stderr.startswith(b'error: row 1, column "t": "\xe9" is not text in UTF-8')


def test_a_number_without_a_prediction_is_an_error(tmp_path: Path) -> None:
    result = ran(compiled(tmp_path, program_of([NumberInput("x"), NumberInput("y")])), "x,y\n1e308,1.8e308\n")
    assert result.returncode == 4


@pytest.mark.parametrize("compiler", COMPILERS)
def test_another_file_uses_the_declarations(tmp_path: Path, compiler: str) -> None:
    written(tmp_path, program_of(INPUTS, ["low", "high"]))
    (tmp_path / "use.c").write_text(
        "#define DECLARATIONS_ONLY\n"
        '#include "model.c"\n'
        "#include <stdio.h>\n"
        "int main(void)\n{\n"
        "    double probabilities[2];\n"
        '    struct row row = {41.0, city_rome, 19000.5, "not good"};\n'
        '    if (!read_born("1.2.2024", &row.born) || row.born != 19754.0)\n        return 1;\n'
        "    if (predict(&row, probabilities) != predict(&row, NULL))\n        return 2;\n"
        '    printf("%d\\n", probabilities[0] + probabilities[1] > 0.999999);\n'
        "    row.city = (enum city)99;\n"
        "    return predict(&row, NULL) == y_unknown;\n}\n"
    )
    sources = [tmp_path / "use.c", tmp_path / "model.c"]
    subprocess.run([compiler, *CHECKED, *sources, "-o", tmp_path / "use", "-lm"], check=True)
    assert subprocess.run([tmp_path / "use"], capture_output=True, check=True).stdout == b"1\n"


@pytest.mark.parametrize(
    "flags", [["-std=gnu99", "-O3", "-march=native"], ["-std=c99", "-Os"], ["-std=gnu17", "-flto"]]
)
def test_other_options_of_the_compiler_give_the_same_answers(tmp_path: Path, flags: list[str]) -> None:
    program = program_of(INPUTS, ["low", "high"])
    table = "age,city,born,notes\n1.5,Rome,1.2.2024 13:45,not GOOD\n,,,\n"
    wanted = ran(compiled(tmp_path, program), table)
    result = ran(compiled(tmp_path, program, flags=flags), table)
    numbers = [pl.read_csv(item.stdout)[:, 1:].to_numpy() for item in (wanted, result)]
    np.testing.assert_allclose(numbers[1], numbers[0], rtol=1e-13)


@pytest.mark.parametrize("flag", ["-ffast-math", "-mfpmath=387"])
def test_options_that_change_the_arithmetic_are_refused(tmp_path: Path, flag: str) -> None:
    if flag == "-mfpmath=387" and platform.machine() != "x86_64":
        pytest.skip("only x86 has an x87")
    file = written(tmp_path, program_of(INPUTS))
    result = subprocess.run(
        ["gcc", "-std=c99", flag, "-fsyntax-only", str(file)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "#error" in result.stderr


def test_cpp_includes_the_declarations(tmp_path: Path) -> None:
    written(tmp_path, program_of(INPUTS, ["low", "high"]))
    file = tmp_path / "use.cpp"
    file.write_text(
        '#define DECLARATIONS_ONLY\n#include "model.c"\n'
        "class_y of(const row &one) { return one.city == city_oslo ? y_low : predict(&one, 0); }\n"
    )
    subprocess.run(["clang", "-std=c++11", *STRICT[1:], "-fsyntax-only", str(file)], check=True)


PARTS = 10


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
def test_hostile_names_and_labels_compile(tmp_path: Path, part: int) -> None:
    """Of 400 texts, or 20,000 with --hypothesis-profile thorough: as columns, categories, classes and targets."""
    names = texts(20_000 if settings().max_examples > 100 else 400)[part::PARTS]
    for start in range(0, len(names), 200):
        some = names[start : start + 200]
        kinds = [NumberInput(name) if i % 2 else category_input(name, some[i : i + 3]) for i, name in enumerate(some)]
        classes = program_of([*kinds[:100], category_input("last", some)], some)
        for program in (classes, program_of(kinds[100:] or kinds[:3], targets=some)):
            file = written(tmp_path, program)
            for compiler in COMPILERS:
                command = [compiler, *STRICT, "-DMAIN", "-c", str(file), "-o", str(tmp_path / "model.o")]
                result = subprocess.run(command, capture_output=True, text=True, check=False)
                assert (result.returncode, result.stderr[:2000]) == (0, "")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_nothing_is_allocated_and_no_variable_changes(tmp_path: Path, compiler: str) -> None:
    file, target = written(tmp_path, program_of(INPUTS, ["a", "b"])), tmp_path / "model.o"
    subprocess.run([compiler, "-std=c99", "-O2", "-fno-pic", "-c", str(file), "-o", str(target)], check=True)
    names = subprocess.run(["nm", str(target)], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in names.splitlines()]
    assert {kind for kind, _ in symbols} <= {"T", "t", "r", "U"}
    used = {name for kind, name in symbols if kind == "U"} - {"memcpy", "memset", "strlen"}  # which compilers insert
    assert used <= {"exp", "ldexp", "tanh"}


def test_every_command_of_the_how_to_page_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs/howto/export-c.md").read_text("utf-8")
    script = "\n".join(re.findall(r"^```(?:sh|shell)\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    (tmp_path / "data").symlink_to(ROOT / "data")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("epochs=20", "epochs=5")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] in ("0", "1")
