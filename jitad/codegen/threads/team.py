"""A team of threads that share out the pieces of loops: fork and join within microseconds.

In: a function ``task(context, first, last, scratch) -> status`` of pieces first .. last - 1, and how many pieces there are. Out: the highest status.
Invariant: every piece runs once; which thread runs it changes nothing, since pieces touch different memory, but for scratch memory of the thread's.

A kernel *enters* the team and is told how many threads it may use: one, that is its own, if another kernel has the team, or if it runs in
a thread that the user has made and nothing else was asked for. Between the loops of the kernel the others wait for the next one, spinning for
some microseconds and asleep after that; when the kernel *leaves*, they go to sleep. Each thread has its own range of pieces, the same one
in each loop over the same rows, so that what it has written is still in its cache; who is ready takes pieces of others. So nobody waits for
a thread that the system has not woken. Where the system stops a thread amid a piece and the caller loses more than it gained, the caller runs
the next loops alone, so that a team on a busy machine is hardly slower than one thread.

Why not the layers that Numba has: `workqueue`, the only one that is always there, takes 115 microseconds per loop (OpenMP: 3; this one: 1 to
2), and ends the process when two threads use it at a time; with `omp` a child of `os.fork` hangs, and its threads spin on between calls.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import signal
import threading
import time
from collections.abc import Callable

import llvmlite.binding as llvm
from llvmlite import ir

from jitad.codegen import machine
from jitad.codegen.emission import external
from jitad.codegen.scalars import I32, I64, POINTER
from jitad.codegen.threads.fork_join import ALONE, ENTER, LEAVE, RESET, SETTINGS, SHARE, TEAM
from jitad.codegen.threads.life import MOST, STOP

SYSTEM = ("pthread_create", "pthread_join", "pthread_self", "pthread_mutex_init", "pthread_mutex_lock", "pthread_mutex_unlock",
          "pthread_cond_init", "pthread_cond_wait", "pthread_cond_broadcast", "sigfillset", "pthread_sigmask",
          "clock_gettime")  # fmt: skip

RELAX = {"x86": "void @llvm.x86.sse2.pause()", "aarch64": "void @llvm.aarch64.hint(i32 1)"}  # what a waiting loop tells the CPU
TASK = ir.FunctionType(I32, [POINTER, I64, I64, POINTER])
SIGNATURES = {ENTER: (I32, []), LEAVE: (ir.VoidType(), [I32]), SHARE: (I32, [POINTER, POINTER, I32, I32])}


def cores() -> int:
    """Return how many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def source() -> str:
    """Return the team as LLVM IR: for one thread where the system has no POSIX threads, or the CPU is one that is not known here."""
    family = next((text for name, text in RELAX.items() if llvm.get_process_triple().startswith(name)), None)
    if family is None or not hasattr(signal, "SIG_SETMASK"):
        return ALONE
    numbers = {"SIG_SETMASK": signal.SIG_SETMASK, "CLOCK_MONOTONIC": time.CLOCK_MONOTONIC}
    text = functools.reduce(lambda text, name: text.replace(name, str(int(numbers[name]))), numbers, TEAM)
    return text.replace("PAUSE", family) + f"\ndeclare {family}\n"


@functools.cache
def team() -> dict[str, Callable]:
    """Make the functions of the team known to LLVM, and return those for Python."""
    text = source()
    if text is not ALONE:
        system = ctypes.CDLL(None)
        for name in SYSTEM:
            llvm.add_symbol(f"jitad_{name}", ctypes.cast(getattr(system, name), ctypes.c_void_p).value)
    names = [ENTER, LEAVE, SHARE, SETTINGS, RESET, STOP]
    addresses = dict(zip(names, machine.load(machine.shared_code("team", lambda: text), names), strict=True))
    for name in SIGNATURES:
        llvm.add_symbol(name, addresses[name])
    types = {SETTINGS: [ctypes.c_int32] * 2, RESET: [ctypes.c_int64], STOP: []}
    functions = {name: ctypes.CFUNCTYPE(None, *arguments)(addresses[name]) for name, arguments in types.items()}
    functions[RESET](threading.main_thread().ident)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: functions[RESET](threading.get_ident()))
    atexit.register(functions[STOP])
    return functions


_asked: list[int | None] = [None]
_lock = threading.RLock()


def settle(threads: int | None) -> None:
    """Set how many threads a kernel may use: in any thread, or if None as many as there are CPUs in the main thread and one in others."""
    with _lock:
        _asked[0] = threads
        if team.cache_info().currsize:
            apply()


def apply() -> None:
    threads = _asked[0]
    team()[SETTINGS](min(threads or cores(), MOST), min(threads or 1, MOST))


def provide(code: bytes) -> None:
    """Make the team known if object code needs it; the names of what it needs are part of it."""
    if SHARE.encode() in code:
        with _lock:  # a team that works must not be made again
            if not team.cache_info().currsize:
                apply()


def call(builder: ir.IRBuilder, name: str, *arguments: ir.Value) -> ir.Value:
    """Emit a call of a function of the team."""
    return builder.call(external(builder, name, *SIGNATURES[name]), arguments)
