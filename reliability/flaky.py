"""Repeat tests in random order beside other load, and list those whose outcome is not the same each time.

`make flaky N=20` repeats the tests of `make test`; `TESTS="--suite system tests/fitting"` names others. A test that
fails each time is listed as well: it is broken, not flaky. The seed of each order is shown, and `pytest --random-order
SEED` repeats it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
LOAD = "import numpy as np\nx = np.ones((500, 500))\nwhile True: x @ x; sum(range(100_000))"
"""Keeps processors busy, with arithmetic of BLAS and of the interpreter in turns."""


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep as many processes busy as long as the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test in a report of JUnit: the name of its first failure, or "passed" or "skipped"."""
    found = dict[str, str]()
    for case in ElementTree.parse(report).iter("testcase"):
        first = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        if first is None:
            outcome = "passed"
        elif first.tag == "skipped":
            outcome = "skipped"
        else:
            outcome = f"{first.tag}: {first.get('message', '')[:160]}"
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=20, help="repetitions")
    parser.add_argument("--load", type=int, default=os.cpu_count() or 1, help="processes that keep processors busy")
    parser.add_argument("--seed", type=int, default=0, help="the order of the first repetition")
    chosen, tests = parser.parse_known_args(arguments)
    found = defaultdict[str, dict[int, str]](dict)
    for seed in range(chosen.seed, chosen.seed + chosen.n):
        with tempfile.TemporaryDirectory() as folder, busy(chosen.load):
            report = Path(folder, "report.xml")
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-n",
                "auto",
                "--random-order",
                str(seed),
                f"--junitxml={report}",
            ]
            done = subprocess.run([*command, *tests], cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode not in (0, 1) or not report.exists():
                print(done.stdout + done.stderr, file=sys.stderr)
                return 2
            for test, outcome in outcomes(report).items():
                found[test][seed] = outcome
        failed = sum(test[seed] not in ("passed", "skipped") for test in found.values() if seed in test)
        print(f"order {seed}: {failed} of {sum(seed in test for test in found.values()):,} tests failed", flush=True)
    bad = {test: by_seed for test, by_seed in found.items() if {*by_seed.values()} not in ({"passed"}, {"skipped"})}
    for test, by_seed in sorted(bad.items()):
        failures = {seed: outcome for seed, outcome in by_seed.items() if outcome != "passed"}
        print(f"{test}: not passed in {len(failures)} of {len(by_seed)}")
        for seed, outcome in failures.items():
            print(f"  order {seed}: {outcome}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
