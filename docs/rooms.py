"""The picture and the tree of the rooms in docs/architecture.md, from the import contract and the code."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pictures import BLUE, GRAY, dot, svg, text

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nncli"
LEFT, TOP, CELL = 100, 100, 24
"""Where the dots begin, and the size of the square of one dot."""


def layers() -> list[list[str]]:
    """The layers of the contract called rooms, each with its rooms, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (rooms,) = (contract for contract in contracts if contract["name"] == "rooms")
    return [layer.split(" | ") for layer in rooms["layers"]]


def imported_rooms(room: str) -> set[str]:
    """The rooms from which the modules of a room import."""
    files = (PACKAGE / room).rglob("*.py") if (PACKAGE / room).is_dir() else [PACKAGE / f"{room}.py"]
    modules = set[str]()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module)
            elif isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
    return {module.split(".")[1] for module in modules if module.startswith("nncli.")} - {room}


def picture() -> str:
    """A row for each room, in the order of the contract, with a dot below each room that it imports."""
    groups = layers()
    rooms = [room for group in groups for room in group]
    right, parts, first = LEFT + CELL * len(rooms), list[str](), 0
    for number, group in enumerate(groups):
        top, height = TOP + CELL * first, CELL * len(group)
        opacity = 0.08 if number % 2 else 0.18
        parts.append(
            f'<rect x="0" y="{top}" width="{right}" height="{height}" fill="{GRAY}" fill-opacity="{opacity}"/>'
        )
        first += len(group)
    for j, room in enumerate(rooms):
        x, end = LEFT + CELL * j + CELL / 2, TOP - 8
        parts.append(f'<text x="{x}" y="{end}" fill="{GRAY}" transform="rotate(-60 {x} {end})">{room}</text>')
    for i, room in enumerate(rooms):
        y = TOP + CELL * i + CELL / 2
        parts.append(text(8, y + 4, room, "start"))
        imported = imported_rooms(room)
        parts += [dot(LEFT + CELL * j + CELL / 2, y, BLUE, 4.5) for j in range(len(rooms)) if rooms[j] in imported]
    return svg(right + 50, TOP + CELL * len(rooms), parts, "The rooms of nncli, and which of them each room imports")


def folders(folder: Path, indent: str = "  ") -> Iterator[str]:
    """A line for each folder within a folder: its name, and what is in it."""
    order = {room: number for number, room in enumerate(room for group in layers() for room in group)}
    inner = [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
    for path in sorted(inner, key=lambda path: (order.get(path.name, 0) if folder == PACKAGE else 0, path.name)):
        yield f"{indent}{path.name}/".ljust(20) + f" {purpose(path)}\n"
        yield from folders(path, indent + "  ")


def purpose(folder: Path) -> str:
    """The first sentence of a package, or the kinds of files of another folder."""
    if not (folder / "__init__.py").exists():
        return f"files: {', '.join(sorted({path.suffix for path in folder.iterdir() if path.is_file()}))}"
    documentation = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    paragraph = " ".join(documentation.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].removesuffix(".")


def tree() -> str:
    """The folders of the package."""
    return f"```text\nnncli/\n{''.join(folders(PACKAGE))}```\n"
