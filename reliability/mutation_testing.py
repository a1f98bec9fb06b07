"""Mutation testing of the arithmetic: every mutant of mutmut against the tests nearest to it.

It needs the folder `mutants` that `mutmut run` writes: the mutants, and which test reaches which function.
But that starts pytest anew for every mutant, which takes longer than most tests do. Here the tests are collected
once, and each mutant is a fork of that process which runs tests until one fails: those of the file that mirrors its
own first, then the others, the quickest first, up to two seconds of them. A mutant that a test further away would
have caught counts as surviving. The verdicts go where mutmut looks for them, so that `mutmut show MUTANT` and `mutmut
browse` know them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

MUTANTS = Path(__file__).parents[1] / "mutants"
ENCODING = ("encoding", "numeric", "categorical", "scaling")
TESTS = ("tests/nn", "tests/nn/training", *(f"tests/data/test_{name}.py" for name in ENCODING))
BUDGET = 2.0
"""Seconds of tests, as long as they take without a mutant, that a mutant must survive."""
OVERHEAD = 0.003
"""Seconds that pytest itself needs for a test."""
KILLED, SURVIVED, UNREACHED, TIMEOUT = 1, 0, 33, 36
"""Exit codes as mutmut writes them."""


def metas() -> list[Path]:
    """One file of verdicts for each source file."""
    return sorted(MUTANTS.glob("nncli/**/*.meta"))


def nearest_first() -> dict[str, list[str]]:
    """For each function its tests: those of its own file first, and the quickest first among them."""
    stats = json.loads((MUTANTS / "mutmut-stats.json").read_text())
    reached: dict[str, set[str]] = stats["tests_by_mangled_function_name"]
    chosen: dict[str, list[str]] = defaultdict(list)
    for function, tests in reached.items():
        mirror = f"/test_{function.split('.')[2]}.py"
        left = BUDGET
        for test in sorted(tests, key=lambda test: (mirror not in test, stats["duration_by_test"][test])):
            if left > 0:
                chosen[function].append(test)
            left -= stats["duration_by_test"][test] + OVERHEAD
    return chosen


class Mutations:
    """In the place of pytest's loop over the tests: a loop over the mutants, each in a process of its own."""

    def __init__(self, patterns: list[str], jobs: int) -> None:
        self._patterns, self._jobs = patterns, jobs

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run what has no verdict yet, or, with patterns, whatever they match."""
        items = {item.nodeid: item for item in session.items}
        tests = nearest_first()
        if _in_a_fork(list({t: items[t] for ts in tests.values() for t in ts}.values()), "none", 600) != SURVIVED:
            pytest.exit("the tests fail without a mutant", returncode=1)
        gc.freeze()  # so that a fork does not copy what it only looks at
        todo = [(meta, mutant) for meta in metas() for mutant in self._wanted(meta)]
        random.Random(0).shuffle(todo)  # so that what a run got to, when it is cut short, speaks for the rest
        running: dict[int, tuple[Path, str]] = {}
        for done, (meta, mutant) in enumerate(todo):
            chosen = [items[test] for test in tests[mutant.rpartition("__mutmut_")[0]] if test in items]
            while len(running) >= self._jobs:
                _reap(running)
            if chosen:
                running[_start(chosen, mutant, 10)] = (meta, mutant)
            else:
                _record(meta, mutant, UNREACHED)
            if done % 100 == 0:
                print(f"{done} of {len(todo)}, {time.strftime('%X')}", file=sys.__stderr__, flush=True)
        while running:
            _reap(running)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Leave at the first failure, before a report of it is written that nobody reads."""
        if call.excinfo and not isinstance(call.excinfo.value, pytest.skip.Exception):
            os._exit(KILLED)

    def _wanted(self, meta: Path) -> Iterator[str]:
        for mutant, verdict in json.loads(meta.read_text())["exit_code_by_key"].items():
            if any(fnmatch(mutant, p) for p in self._patterns) if self._patterns else verdict is None:
                yield mutant


def _start(items: list[pytest.Item], mutant: str, seconds: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.environ["MUTANT_UNDER_TEST"] = mutant
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    signal.alarm(10 * seconds)
    try:
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        os._exit(SURVIVED)
    except BaseException:
        os._exit(KILLED)


def _verdict(status: int) -> int:
    if os.WIFSIGNALED(status):
        return TIMEOUT if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL) else KILLED
    return os.WEXITSTATUS(status)


def _in_a_fork(items: list[pytest.Item], mutant: str, seconds: int) -> int:
    return _verdict(os.waitpid(_start(items, mutant, seconds), 0)[1])


def _reap(running: dict[int, tuple[Path, str]]) -> None:
    pid, status = os.wait()
    _record(*running.pop(pid), _verdict(status))


def _record(meta: Path, mutant: str, verdict: int) -> None:
    content: dict[str, Any] = json.loads(meta.read_text())
    content["exit_code_by_key"][mutant] = verdict
    meta.write_text(json.dumps(content, indent=4))


def report() -> None:
    """A table for docs/reliability.md, of the mutants that have a verdict."""
    print("| file | mutants | killed | timed out | survived | killed or timed out |")
    print("|---|---:|---:|---:|---:|---:|")
    total: Counter[int | None] = Counter()
    for meta in metas():
        verdicts = Counter(json.loads(meta.read_text())["exit_code_by_key"].values())
        if verdicts:
            print(_row(str(meta.relative_to(MUTANTS))[: -len(".meta")], verdicts))
        total += verdicts
    print(_row("all", total))
    if total[None]:
        print(f"\n{total[None]} have not been run.")


def _row(name: str, verdicts: Counter[int | None]) -> str:
    killed, late, mutants = verdicts[KILLED], verdicts[TIMEOUT], verdicts.total() - verdicts[None]
    cells = (name, mutants, killed, late, mutants - killed - late, f"{(killed + late) / max(1, mutants):.1%}")
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def main() -> None:
    """Run the mutants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", help="mutants to run again, such as nncli.nn.layers.sequential.*")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="print the table alone")
    arguments = parser.parse_args()
    if not arguments.report:
        os.environ.update(MUTANT_UNDER_TEST="none", OPENBLAS_NUM_THREADS="1")
        os.chdir(MUTANTS)
        sys.path.insert(0, str(MUTANTS))
        options = ["--rootdir=.", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"]
        if pytest.main([*options, *TESTS], plugins=[Mutations(arguments.patterns, arguments.jobs)]):
            sys.exit(1)
    report()


if __name__ == "__main__":
    main()
