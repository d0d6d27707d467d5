"""What a Python zygote runs: imports what is common, serves, and runs the caller's program in each child.

The child behaves as `python3 /workspace/main.py` would: same globals, same tracebacks, same exit codes, same
order of things at the end. Where that cannot be had in a fork (start-up settings in the environment, sources that
only the interpreter's own reader can judge), the child replaces itself by a fresh interpreter.

The training child takes the same way as a run, so that its pages are those that a run touches.
"""

import sys

HERE = sys.path[0]
WORKSPACE = "/workspace"
LIVE_OUTPUT, PACKAGES = 1, 2  # enum job_flags of src/proto/job.h
STARTUP_PREFIX = "PYTHON"

import _docle

import os

at_fork = []


def register_at_fork(**hooks):
    """Keeps what the imports below register until a run has begun. In the fork of a zygote there is nothing for those
    hooks to repair, as no other thread ever held a lock; they would copy some 130 pages for nothing."""
    at_fork.append(hooks)


real_register_at_fork, os.register_at_fork = os.register_at_fork, register_at_fork

import _random
import _thread
import atexit
import builtins
import gc
import io
import signal
import site
import threading
import time
from importlib.machinery import SourceFileLoader

# Common in short programs, or dear to import; nothing here starts a thread or draws a random number.
import argparse, ast, asyncio, base64, bisect, calendar, collections, concurrent.futures.thread, contextlib, copy, csv
import dataclasses, datetime, decimal, enum, fractions, functools, glob, hashlib, heapq, inspect, itertools, json
import locale, logging, math, operator, pathlib, pickle, platform, pprint, queue, random, re, secrets, shutil, socket
import sqlite3, ssl, statistics, string, struct, subprocess, tempfile, textwrap, traceback, types, typing
import unicodedata, urllib.parse, urllib.request, uuid, warnings, weakref, zlib

PLAIN = [sys.executable, "-X", "utf8", "-B"]


def open_standard_streams():
    """Makes sys.stdin, stdout and stderr anew on pipes, as they will be in a run: what the streams remember about
    their descriptor (can it seek?) must be true there."""
    ends = os.pipe()
    saved = [os.dup(fd) for fd in range(3)]
    for fd in range(3):
        os.dup2(ends[fd > 0], fd)
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        raw = io.FileIO(fd, "wb" if fd else "rb", closefd=False)
        raw.name = f"<{name}>"
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw) if fd else io.BufferedReader(raw),
            encoding="utf-8",
            errors="backslashreplace" if fd == 2 else "surrogateescape",
            newline="\n",
            line_buffering=fd == 2,
        )
        stream.mode = "w" if fd else "r"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for fd in range(3):
        os.dup2(saved[fd], fd)
        os.close(saved[fd])
    os.close(ends[0])
    os.close(ends[1])


ZYGOTE_PID = os.getpid()


def reseed():
    """In the sealed child. secrets and uuid4 ask the kernel. OpenSSL's
    generators do not exist yet, as nothing drew from them here; and if something had, OpenSSL notices a fork by the
    process id, and by it alone."""
    _random.Random.seed(random._inst)  # what random.seed() comes down to, on fewer pages
    if os.getpid() == ZYGOTE_PID:
        ssl.RAND_add(os.urandom(48), 48.0)


def exec_interpreter(path, args, env):
    os.execve(PLAIN[0], [*PLAIN, path, *args], env)


def apply_environment(pairs):
    """Returns the environment as a dict, after putting it into os.environ; past its methods, which copy fifty pages
    more. What lies in `_data` are encoded names and values, on every Python so far."""
    env = {}
    data = os.environ._data
    for pair in pairs:
        name, _, value = pair.partition("=")
        env[name] = value
        name = name.encode("utf-8", "surrogateescape")
        value = value.encode("utf-8", "surrogateescape")
        os.putenv(name, value)
        data[name] = value
    if "TZ" in env:
        time.tzset()
    return env


def new_main(path):
    main = types.ModuleType("__main__")
    main.__loader__ = SourceFileLoader("__main__", path)
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__builtins__ = builtins
    main.__file__ = path
    main.__cached__ = None
    sys.modules["__main__"] = main


def exit_code(value):
    """What sys.exit(value) ends with; anything but None and integers is printed."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF if -(2**63) <= value < 2**63 else 0xFF
    try:
        sys.stderr.flush()
        print(value, file=sys.stderr)
    except Exception:
        pass
    return 1


def report(error):
    """Prints an uncaught exception without our own frame; returns (exit code, interrupted)."""
    if isinstance(error, SystemExit):
        return exit_code(error.code), False
    trace = error.__traceback__
    _docle.report(error.with_traceback(trace and trace.tb_next))
    return 1, isinstance(error, KeyboardInterrupt)


def clear_module(module):
    names = module.__dict__
    for private in (True, False):
        for name in list(names):
            if name != "__builtins__" and (name[:1] == "_" and name[1:2] != "_") == private:
                names[name] = None


def is_users(module):
    origin = getattr(module, "__file__", None)
    return isinstance(origin, str) and origin.startswith(WORKSPACE)


def new_modules(known_modules):
    """What was imported since the zygote served, found from the young end: going through all would count up and
    down every name, and so copy a hundred pages."""
    names = []
    for name in reversed(sys.modules):
        if name in known_modules:
            break
        names.append(name)
    return names


def drop_modules(known_modules):
    """As the interpreter does at its end, so that __del__ runs and forgotten files are flushed: first lets go of the
    program's modules, then empties those that something still holds."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    mine = [name for name in new_modules(known_modules) if is_users(sys.modules[name])]
    held = [weakref.ref(sys.modules.pop(name)) for name in ["__main__", *mine] if name in sys.modules]
    gc.collect()
    survivors = [module for module in (reference() for reference in held) if module is not None]
    for module in survivors:
        clear_module(module)
    if survivors:
        gc.collect()


def exit_work_count():
    """How much there is to do at the end. As much as in the zygote, and no other thread: then the program has left
    nothing, and the functions that would find that out need not copy their pages."""
    return (
        atexit._ncallbacks(),
        len(getattr(threading, "_threading_atexits", ())),
        len(logging._handlerList),
        len(weakref.finalize._registry),
        len(concurrent.futures.thread._threads_queues),
    )


def wind_up(known_modules):
    """The interpreter's order: non-daemon threads, atexit, flush, modules, flush. Returns 0, or 120 when standard
    output could not be written."""
    if exit_work_count() != exit_work or _thread._count():
        try:
            threading._shutdown()
        except BaseException as error:
            _docle.report(error)
        atexit._run_exitfuncs()
    status = flush_streams(print_unraisable)
    drop_modules(known_modules)
    return flush_streams(lambda *_: None) or status


def flush_streams(complain):
    status = 0
    for stream in (sys.stdout, sys.stderr):
        if stream is None or getattr(stream, "closed", False):
            continue
        try:
            stream.flush()
        except BaseException as error:
            status = 120
            if stream is sys.stdout:
                complain(error, stream)
    return status


def print_unraisable(error, subject):
    try:
        print(f"Exception ignored in: {subject!r}\n{type(error).__name__}: {error}", file=sys.stderr)
    except Exception:
        pass


def read_source(path):
    with io.FileIO(path) as file:
        return file.readall()


def take_packages():
    """What site did at the start of the interpreter, before there were packages: their .pth files."""
    folder = site.getsitepackages()[0]
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pth"):
            site.addpackage(folder, name, None)


def prepare(entrypoint, args, env_pairs, flags):
    """Makes the process look freshly started; returns what to run."""
    path = f"{WORKSPACE}/{entrypoint}" if entrypoint is not None else f"{HERE}/training.py"
    env = apply_environment(env_pairs)
    os.register_at_fork = real_register_at_fork
    for hooks in at_fork:
        real_register_at_fork(**hooks)
    if any(name.startswith(STARTUP_PREFIX) for name in env):
        exec_interpreter(path, args, env)
    if flags & PACKAGES:
        take_packages()
    if flags & LIVE_OUTPUT:
        sys.stdout.reconfigure(line_buffering=True)
    sys.argv[:] = [path, *args]
    sys.orig_argv = [*PLAIN, path, *args]
    folder = path[: path.rindex("/")]
    sys.path[0] = folder
    if folder != WORKSPACE and entrypoint is not None:
        sys.path.insert(1, WORKSPACE)
    try:
        return path, compile(read_source(path), path, "exec", dont_inherit=True)
    except (OSError, ValueError, UnicodeError):
        exec_interpreter(path, args, env)
    except SyntaxError as error:
        if "unicode error" in str(error.msg) or "null byte" in str(error.msg):
            exec_interpreter(path, args, env)
        _docle.report(error.with_traceback(None))
        return path, None


# From here on at module level: the fewer frames of ours lie under the program's, the better.
open_standard_streams()
known_modules = frozenset(sys.modules)
del sys.modules["_docle"]
exit_work = exit_work_count()
gc.collect()
gc.freeze()
entrypoint, args, env, flags, _ = _docle.serve(reseed)
path, code = prepare(entrypoint, args, env, flags)
status, interrupted, uncaught = (0 if code else 1), False, None
new_main(path)
try:
    if code:
        exec(code, sys.modules["__main__"].__dict__)
except BaseException as error:
    uncaught = error
if uncaught is not None:
    status, interrupted = report(uncaught)
uncaught = code = None
status = wind_up(known_modules) or status
if interrupted:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
_docle.finish(status)
