"""The documentation: every example runs, and the generated pages are current."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from nncli.base.errors import ConfigError, DataError, NncliError, RunError, UsageError
from nncli.config.loading import load
from nncli.config.schema import EncodingSection
from nncli.data.encoders.encoding_options import CategoricalOptions
from nncli.data.formats.registry import FORMATS
from nncli.run_directory import filenames
from tests.warm_commands import warm_commands

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (DOCS / "architecture.md").read_text("utf-8")

INSTALLATION = ("make train", "pip install")
"""Examples that create an environment or install into it; no test runs them."""
SHORT = {"NNCLI_EPOCHS": "2", "NNCLI_WORKERS": "1"}
"""Environment for examples whose accuracy does not matter."""
FEW = {"NNCLI_MEMBERS": "2"}
"""The same for pages whose trainings are ensembles."""
PORT = "18765"
"""The port of the pages' servers, which something else may have."""


def blocks(language: str, text: str = README) -> Iterator[str]:
    return (match[1] for match in re.finditer(rf"```{language}\n(.*?)```", text, re.DOTALL))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the sample tables and configurations, as in a fresh clone."""
    for name in ("configs", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def run(command: list[str], folder: Path, **variables: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def without_numbers(line: str) -> str:
    """The line with # for each number, single spaces, and one best epoch: short trainings have one."""
    numbered = " ".join(re.sub(r"\d[\d.,e-]*(?=\s|,|$)", "#", line).split())
    numbered = numbered.replace(" (# trainings, # epochs of each)", "")
    return re.sub(r"best epochs (# )+and # of", "best epoch # of", numbered)


@pytest.mark.slow
def test_every_shell_example_of_the_readme_runs_and_prints_what_is_shown(copy: Path) -> None:
    examples = [block for block in blocks("sh") if not block.startswith(INSTALLATION)]
    assert len(examples) == 4
    script = "exec 2>&1\n" + "\n".join(examples)
    printed = {
        without_numbers(line) for line in run(["bash", "-euo", "pipefail", "-c", script], copy, **SHORT).splitlines()
    }
    shown = [line for block in blocks("text") for line in block.splitlines()]
    assert len(shown) >= 6
    assert {without_numbers(line) for line in shown} <= printed


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_examples_run(copy: Path, page: str) -> None:
    examples = list(blocks("python", (ROOT / page).read_text("utf-8")))
    assert examples
    printed = [run([sys.executable, "-W", "error", "-c", example], copy) for example in examples]
    assert all(re.findall(r"\b(?:0\.9\d*|1\.0)\b", text) for text in printed), printed  # their accuracies


def test_the_readme_is_one_page() -> None:
    assert len(README.splitlines()) <= 140
    assert len(re.sub(r"```.*?```", "", README, flags=re.DOTALL).split()) <= 600


@pytest.mark.slow
def test_the_configuration_of_the_readme_trains(copy: Path) -> None:
    (example,) = blocks("yaml")
    (copy / "configs" / "readme.yaml").write_text(example, "utf-8")
    assert run(["nncli", "train", "configs/readme.yaml"], copy) == "runs/readme\n"


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.slow
def test_what_is_made_from_the_code_is_current() -> None:
    run([sys.executable, "docs/build.py", "--check"], ROOT)


def words_of(picture: str) -> list[str]:
    """The words of an SVG, without its numbers and the bars and points of its charts."""
    return re.findall(r"[a-z_]{2,}", " ".join(re.findall(r">([^<]+)</text>", picture.partition("</defs>")[2])))


@pytest.mark.slow
def test_the_picture_of_a_training_shows_what_the_terminal_shows_now() -> None:
    shown = "import sys; sys.path.insert(0, 'docs'); from build import training_picture; print(training_picture())"
    now = run([sys.executable, "-c", shown], ROOT)
    assert words_of(now) == words_of((DOCS / "training.svg").read_text("utf-8"))
    assert "accuracy" in words_of(now)


def test_the_table_of_exit_codes_names_each_class_of_errors_with_its_code() -> None:
    rows = re.findall(r"^\| (\d) \|.*\| `(\w+)` \|$", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE)
    classes = (NncliError, UsageError, ConfigError, DataError, RunError)
    assert rows == [(str(error.exit_code), error.__name__) for error in classes]


def test_the_page_of_the_run_directory_names_every_file_of_it() -> None:
    page = (DOCS / "run-directory.md").read_text("utf-8")
    names = [v for name, v in vars(filenames).items() if name.isupper() and isinstance(v, str) and name != "VALIDATION"]
    assert len(names) > 12
    assert [name for name in names if f"`{name}" not in page] == []


def test_the_page_of_formats_names_every_suffix_that_is_read() -> None:
    page = (DOCS / "data" / "formats.md").read_text("utf-8")
    suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
    assert len(suffixes) > 8
    assert [suffix for suffix in suffixes if f"`{suffix}`" not in page] == []


def test_the_page_of_columns_has_the_limits_of_the_encoders(tmp_path: Path) -> None:
    page = (DOCS / "data" / "columns.md").read_text("utf-8")
    options = CategoricalOptions()
    config = tmp_path / "default.yaml"
    config.write_text("{preset: tabular, data: {path: t.csv, target: y}}", "utf-8")
    default = load(config).config.encoding.categories
    assert default.max_one_hot < options.max_one_hot
    assert f"up to {default.max_one_hot} categories ({options.max_one_hot} with `layers`;" in page
    assert f"the {EncodingSection().max_text_features} most common words" in page


ELSEWHERE = ("commands.md", "configuration.md", "extending.md")
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name not in ELSEWHERE)
EXECUTED = [page for page in PAGES if any(blocks("sh", page.read_text("utf-8")))]


def test_tutorials_and_how_to_pages_have_commands() -> None:
    assert {*DOCS.glob("tutorials/*.md"), *DOCS.glob("howto/*.md"), *DOCS.glob("data/*.md")} <= {*EXECUTED}


EXACT = ("neural-network.md",)
"""Pages whose numbers are compared too."""
PREDICTED = ("serve.md",)
"""Pages that show a class which fewer networks do not predict."""
OUTPUTS = re.compile(r"```sh\n[^`]*```\n\n```text\n(.*?)```", re.DOTALL)
"""What is shown directly below commands."""


@pytest.fixture(scope="module")
def path_of_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PATH whose `nncli` starts at once: the pages have hundreds of commands. Other systems do not fork safely."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    if sys.platform != "linux":
        yield path
        return
    with warm_commands(tmp_path_factory.mktemp("commands")) as folder:
        yield f"{folder}{os.pathsep}{path}"


@pytest.mark.slow
@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.relative_to(DOCS).with_suffix("").as_posix())
def test_every_command_of_a_page_runs_in_order_and_prints_what_is_shown(
    copy: Path, page: Path, path_of_commands: str
) -> None:
    text = page.read_text("utf-8")
    script, is_exact = "\n".join(blocks("sh", text)), page.name in EXACT
    if "['accuracy']" not in script and not is_exact:
        script = re.sub(r"--set epochs=\d+", f"--set epochs={SHORT['NNCLI_EPOCHS']}", script)
    if PORT in script:
        with socket.create_server(("127.0.0.1", 0)) as free:
            script = script.replace(PORT, str(free.getsockname()[1]))
    end_servers = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n"
    short = SHORT | (FEW if "quality" in script and page.name not in PREDICTED else {})
    variables = {"PATH": path_of_commands, **({} if is_exact else short)}
    printed = run(["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{end_servers}{script}"], copy, **variables)
    if is_exact:
        lines = printed.splitlines()
        assert [line for block in blocks("text", text) for line in block.splitlines() if line not in lines] == []
        return
    shown = [line for output in OUTPUTS.findall(text) for line in output.splitlines()]
    words = "\n".join(map(without_numbers, printed.splitlines()))
    assert [line for line in shown if without_numbers(line) not in words] == []


def test_the_tree_of_the_architecture_page_lists_the_folders_there_are() -> None:
    tree = ARCHITECTURE.partition("```text\nnncli/\n")[2].partition("```")[0]
    parents: list[str] = []
    listed = set()
    for indent, name in re.findall(r"^( +)(\w+)/", tree, re.MULTILINE):
        parents[len(indent) // 2 - 1 :] = [name]
        listed.add("/".join(parents))
    folders = (path for path in (ROOT / "nncli").rglob("*") if path.is_dir() and path.name != "__pycache__")
    assert listed == {path.relative_to(ROOT / "nncli").as_posix() for path in folders}


WALK = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", ARCHITECTURE.partition("## The folders")[0], re.MULTILINE)


def test_the_walk_of_a_cell_has_few_names_in_few_files_which_have_them() -> None:
    walk = [(name, file) for name, files in WALK for file in re.findall(r"`([\w/]+\.py)`", files)]
    assert 8 <= len(WALK) <= 10
    assert 20 <= len({file for _, file in walk}) <= 24
    for name, file in walk:
        assert re.search(rf"\b{name}\b", (ROOT / "nncli" / file).read_text("utf-8")), (name, file)


def test_the_picture_of_the_rooms_lists_them_in_the_order_of_the_contract() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    rooms = [room for layer in contract["layers"] for room in layer.split(" | ")]
    folders = {path.name for path in (ROOT / "nncli").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {*rooms} == folders | {"extend", "version"}
    words = re.findall(r">(\w+)</text>", (DOCS / "assets" / "rooms.svg").read_text("utf-8"))
    assert words == [*rooms, *rooms]  # those of the columns, then those of the rows


MATHEMATICS = (ROOT / "docs" / "mathematics.md").read_text("utf-8")
QUOTED = re.findall(r"```python\n# (nncli/[\w/]+\.py)\n(.*?)```", MATHEMATICS, re.DOTALL)


@pytest.mark.parametrize(("file", "lines"), QUOTED)
def test_the_lines_beside_a_formula_are_those_of_the_code(file: str, lines: str) -> None:
    assert lines in (ROOT / file).read_text("utf-8")


@pytest.mark.slow
def test_the_example_worked_by_hand_comes_out_of_the_layers_too() -> None:
    (example,) = re.findall(r"```python\n(import.*?)```", MATHEMATICS, re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", MATHEMATICS, re.DOTALL)
    assert len(QUOTED) > 10
    assert run([sys.executable, "-c", example], ROOT) == printed


FILE = re.compile(r"\b(?:tests|nncli|benchmarks|reliability)/[\w/.-]+?\.(?:py|yaml|json|md)\b")


OF_OTHER_PROGRAMS = re.compile(
    r"--(data-binary|held-out|help|(install|show)-completion|logdir|long|nthreads|results|retry(-connrefused|-delay)?)"
)
"""Options of curl, Dask, TensorBoard and of the scripts of the benchmarks, and those that Typer adds."""


def test_every_option_that_a_page_names_exists() -> None:
    import typer

    from nncli.cli.app import COMMANDS, app

    root, names = typer.main.get_command(app), set[str]()
    pending = [root, *(root.get_command(None, name.replace("_", "-")) for name in COMMANDS)]  # type: ignore[attr-defined]
    while pending:
        command = pending.pop()
        pending += [] if command is root else getattr(command, "commands", {}).values()
        names.update(word for option in command.params for word in (*option.opts, *option.secondary_opts))
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        code = re.findall(r"`--[^`\n]+`|^(?:[A-Z_]+=\S+ )*nncli .*$", page.read_text("utf-8"), re.MULTILINE)
        named = {word for text in code for word in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)}
        assert {name for name in named - names if not OF_OTHER_PROGRAMS.fullmatch(name)} == set(), page


def test_every_file_that_a_page_names_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]  # the page on extending makes files
    named = {(page.name, name) for page in pages for name in FILE.findall(page.read_text("utf-8"))}
    assert len(named) > 50
    assert {(page, name) for page, name in named if not (ROOT / name).exists()} == set()


def test_the_page_for_contributors_says_where_things_are_and_are_tested() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Where")[2].partition("\n## ")[0]
    _, _, *rows = re.findall(r"^\| ?([^|]+) ?\| ?([^|]+) ?\| ?([^|]+) ?\|$", table, re.MULTILINE)
    assert len(rows) >= 12
    for thing, files, tests in rows:
        code, tested = (re.findall(rf"`({room}/[\w/.]+)`", cell) for room, cell in (("nncli", files), ("tests", tests)))
        assert code, thing
        assert tested, thing
        assert [path for path in (*code, *tested) if not (ROOT / path).exists()] == []


def test_every_link_of_the_pages_outside_the_site_leads_somewhere() -> None:
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")
    for document in [*(ROOT / name for name in names), *(ROOT / "benchmarks").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


WORDS = """
import sys; sys.path.insert(0, "docs")
from make_report import REPORT, words_of
print(words_of(REPORT.read_text("utf-8")))
"""


@pytest.mark.slow
def test_the_site_builds_without_a_broken_link_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("report.html"))  # it is made by the build
    for name in ("data", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"], tmp_path)
    assert (tmp_path / "site" / "assets" / "report.html").exists()
    with Image.open(DOCS / "assets" / "report.png") as picture:
        assert picture.info["words"] == run([sys.executable, "-c", WORDS], tmp_path).strip()  # else take it again
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.findall(r"""<(?:script|img|iframe)[^>]*src=["']?(?:https?:)?//""", text), page
        assert not re.findall(r"""<link[^>]*rel=["']?stylesheet["']?[^>]*href=["']?(?:https?:)?//""", text), page
    assert "<math" in (tmp_path / "site" / "mathematics" / "index.html").read_text("utf-8")


LONG_LINES = ("commands.md", "python-api.md")
"""Pages whose lines are made from the code."""


def test_no_line_of_a_page_is_longer_than_120_characters() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")):
        if page.name not in LONG_LINES:
            prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
            lines = (line for line in prose.splitlines() if not line.startswith("|") and "://" not in line)
            assert [line for line in lines if len(line) > 120] == [], page


def test_every_command_has_its_page() -> None:
    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    listed = re.findall(r"^- \[(nncli [a-z -]+)\]\(#([a-z-]+)\): [A-Z]", text, re.MULTILINE)
    assert {"nncli train", "nncli predict", "nncli config show"} <= {name for name, _ in listed}
    for name, anchor in listed:
        assert anchor == name.replace(" ", "-")
        page = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert page.startswith(f"\n    {name} [OPTIONS]")
        assert "```sh" in page
        assert "\nDisplay:\n" in page


def test_the_penguins_that_are_kept_apart_are_those_of_the_script() -> None:
    run([sys.executable, "data/split.py", "--check"], ROOT)


@pytest.mark.parametrize("page", [README, *(page.read_text("utf-8") for page in EXECUTED)])
def test_no_page_scores_a_model_on_the_whole_table(page: str) -> None:
    assert not re.search(r"nncli evaluate \S+ data/(penguins|linear|xor|spirals)\.csv", page)
