"""Run every benchmark, compared with the peers that are installed, and write the results.

    python benchmarks/all.py
    python benchmarks/all.py --only startup contention --rounds 3      # the others keep their last results

Writes benchmarks/results.json, the part between the markers in benchmarks/README.md, and docs/growth.svg, after every
benchmark. All of them take about two hours on two cores; tables.py says how much disk and memory they need.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from growth import growth_picture
from peers import versions
from results import Report, load, show, with_results
from timing import HERE, ROOT, cores

PARTS = ("step", "end_to_end", "textbook", "startup", "tables", "growth", "contention")


def machine() -> str:
    """The processor, its cores that may be used, and the memory."""
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {cores()} cores, {gib:.0f} GiB, {platform.system()}"


def write(results: dict[str, Any], path: Path, document: Path) -> None:
    """Write down all three."""
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    document.write_text(with_results(document.read_text("utf-8"), results), "utf-8")
    if "growth" in results["parts"]:
        (ROOT / "docs" / "growth.svg").write_text(growth_picture(Report.of(results["parts"]["growth"][0])), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="default: all; none: write anew")
    parser.add_argument("--rounds", type=int, help="of every benchmark; default: its own number")
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--document", type=Path, default=ROOT / "benchmarks" / "README.md")
    options = parser.parse_args()
    results = load(options.results)
    for part in options.only:
        module = import_module(part)
        words = ["--rounds", str(options.rounds)] if options.rounds else []
        reports: list[Report] = module.measure(module.arguments().parse_args(words))
        show(reports)
        results["parts"][part] = [report.plain for report in reports]
        results["parts"] = {name: results["parts"][name] for name in PARTS if name in results["parts"]}
        date = datetime.now(UTC).date().isoformat()
        result = {"Python": platform.python_version(), **versions()}
        results["made"] = {"date": date, "machine": machine(), "versions": result}
        write(results, options.results, options.document)
    write(results, options.results, options.document)


if __name__ == "__main__":
    main()
