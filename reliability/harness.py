"""Real `nncli` processes with injected faults: shared by the reliability scripts.

A process is made by forking a warm interpreter, which has imported nncli and has computed nothing: a process like any
other, with its own memory, files and end, that spares half a second of imports. `cold=True` starts one from nothing.

Faults are made at the level of system calls by shim.c, compiled on the spot and preloaded. Where there is no C
compiler, the functions of `os` and `io` are replaced instead, in forked processes only; writes then never fail.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from python_faults import Calls, replace_functions

MIB = 1 << 20
LIBRARY = "RELIABILITY_SHIM"
WARM = [
    "nncli.cli.app",
    "nncli.cli.console",
    "nncli.api.train",
    "nncli.api.predict",
    "nncli.api.predict_files",
    "nncli.api.evaluate",
    "nncli.api.generate_data",
    "rich.console",
    "rich.table",
    "rich.progress",
    "threadpoolctl",
]
CLEAN_CODES = {1, 2, 3, 4, 5}


@dataclass(frozen=True)
class Fault:
    """The `nth` call of a kind below `folder`, counted from 1, fails with the errno `action`, or see SHORT, KILL_…."""

    folder: Path
    calls: Calls
    nth: int
    action: int
    forever: bool = False

    @property
    def words(self) -> str:
        """As shim.c reads it from the environment."""
        return f"{int(self.calls)} {self.nth} {self.action} {int(self.forever)} {self.folder}"


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit code, or minus the signal; `struck` and `calls` are known of forked ones."""

    code: int
    output: str
    errors: str
    seconds: float
    peak: int
    struck: bool
    calls: int
    step: int

    @property
    def clean(self) -> bool:
        """Whether it succeeded, or failed with a documented code and one message that blames nobody's program."""
        if self.code == 0:
            return "Traceback" not in self.errors
        spoken = [line for line in self.errors.splitlines() if line.startswith("nncli: ")]
        ugly = any(word in self.errors for word in ("Traceback", "internal error", "Exception ignored", "Warning:"))
        return self.code in CLEAN_CODES and len(spoken) == 1 and not ugly


def with_shim() -> None:
    """Begin this script anew with shim.c preloaded, unless it is already, or there is no C compiler."""
    if LIBRARY in os.environ:
        return
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        print("no C compiler: faults are made in Python's os and io functions, and writes never fail")
        return
    library = Path(tempfile.mkdtemp(prefix="nncli-shim-"), "shim.so")
    source = str(Path(__file__).with_name("shim.c"))
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", source, "-o", str(library), "-ldl"], check=True)
    environment = {**os.environ, LIBRARY: str(library), "LD_PRELOAD": str(library)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def imports_fit(memory: int) -> bool:
    """Whether a process that may map so much gets as far as having imported everything."""
    words = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))\n"
    words += "\n".join(f"import {name}" for name in WARM)
    return (
        subprocess.run([sys.executable, "-W", "error", "-c", words], capture_output=True, check=False).returncode == 0
    )


def forget_shim() -> None:
    """Remove the compiled library, at the very end."""
    if LIBRARY in os.environ:
        shutil.rmtree(Path(os.environ[LIBRARY]).parent, ignore_errors=True)


def warm() -> None:
    """Import all that a command needs; none of it starts a thread, so that the process may still be forked."""
    for name in WARM:
        import_module(name)


class _Shared:
    """Three numbers that a child writes and its parent reads: calls counted, whether the fault struck, the step."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, mmap.PAGESIZE)

    def read(self) -> tuple[int, int, int]:
        calls, struck, step = struct.unpack("3l", self.memory[:24])
        return calls, struck, step

    def clear(self) -> None:
        self.memory[:24] = bytes(24)

    def step(self, value: int) -> None:
        self.memory[16:24] = struct.pack("l", value)


def run(
    words: list[str],
    *,
    fault: Fault | None = None,
    kill_after: float | None = None,
    memory: int | None = None,
    cold: bool = False,
    timeout: float = 60.0,
) -> Outcome:
    """Run `nncli` with these words; SIGKILL it after `kill_after` seconds; let it map no more than `memory` bytes."""
    shared, begun = _Shared(), time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = _cold if cold else _forked
        pid = start(words, out.fileno(), err.fileno(), fault, memory, shared)
        code, peak = _wait(pid, begun, kill_after, timeout)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    calls, struck, step = shared.read()
    return Outcome(code, texts[0], texts[1], time.monotonic() - begun, peak, bool(struck), calls, step)


def _wait(pid: int, begun: float, kill_after: float | None, timeout: float) -> tuple[int, int]:
    if kill_after is not None:
        while (left := begun + kill_after - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        os.kill(pid, signal.SIGKILL)
    nap = 0.0005
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        if time.monotonic() - begun > timeout:
            os.kill(pid, signal.SIGKILL)
            os.wait4(pid, 0)
            return -signal.SIGALRM, 0
        time.sleep(nap)
        nap = min(nap * 1.5, 0.02)


def _cold(words: list[str], out: int, err: int, fault: Fault | None, memory: int | None, shared: _Shared) -> int:
    environment = {**os.environ, **({"RELIABILITY_FAULT": fault.words} if fault else {})}
    pid = os.fork()
    if not pid:
        _redirect(out, err)
        _limit(memory)
        os.execve(sys.executable, [sys.executable, "-m", "nncli", *words], environment)
    return pid


def _forked(words: list[str], out: int, err: int, fault: Fault | None, memory: int | None, shared: _Shared) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        _redirect(out, err)
        sys.argv = ["nncli", *words]
        _watch_steps(shared)
        if fault is not None:
            _arm(fault, shared)
        _limit(memory)
        import_module("nncli.cli.app").main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def _redirect(out: int, err: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nowhere, 0), (out, 1), (err, 2)):
        os.dup2(old, new)


def _limit(memory: int | None) -> None:
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _watch_steps(shared: _Shared) -> None:
    """Note every step of a training where the parent can read it."""
    pace = import_module("nncli.fitting.train.session").CheckpointTimer
    ask = pace.after_batch

    def noting(self: object, step: int) -> object:
        shared.step(step)
        return ask(self, step)

    pace.after_batch = noting


def _arm(fault: Fault, shared: _Shared) -> None:
    if LIBRARY not in os.environ:
        replace_functions(str(fault.folder), fault.calls, fault.nth, fault.action, fault.forever, shared.memory)
        return
    where = ctypes.addressof(ctypes.c_char.from_buffer(shared.memory))
    arm = ctypes.CDLL(os.environ[LIBRARY]).fault_arm
    arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    arm(os.fsencode(fault.folder), fault.calls, fault.nth, fault.action, fault.forever, where)
