"""What a Python zygote runs: imports what is common, serves, and runs the caller's program in each child.

The child behaves as `python3 /workspace/main.py` would: same globals, same tracebacks, same exit codes, same
order of things at the end. Where that cannot be had in a fork (start-up settings in the environment, sources that
only the interpreter's own reader can judge), the child replaces itself by a fresh interpreter.

The training child takes the same way as a run, so that its pages are those that a run touches.
"""

import sys

HERE = sys.path[0]
WORKSPACE = "/workspace"
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"  # of src/runs/job_build.c
LIVE_OUTPUT, PACKAGES = 1, 2  # enum job_flags of src/proto/job.h
SETTING_TIME_ZONE, SETTING_INTERPRETER = 1, 2  # of docle_python.c

import _docle

import os

real_register_at_fork = os.register_at_fork


def register_at_fork(**hooks):
    """What the imports below register acts in the program's forks. In the fork of a zygote there is nothing for those
    hooks to repair; they would copy some 130 pages for nothing."""
    real_register_at_fork(**{when: _docle.gate(hook) for when, hook in hooks.items()})


os.register_at_fork = register_at_fork

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

imported_ahead = set()
NAMES_FD, NAMES_VARIABLE = 4, "DOCLE_NAMES"  # src/zygote/zygote.h
# Libraries that start threads when they are imported, and how they are told not to: a fork has one thread.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
              "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")


def modules_of(name):
    """The modules that a distribution brings, by what it says itself, else by its files."""
    from importlib import metadata

    distribution = metadata.distribution(name)
    listed = (distribution.read_text("top_level.txt") or "").split()
    for path in distribution.files or () if not listed else ():
        first = path.parts[0]
        if len(path.parts) == 1 and first.endswith(".py"):
            listed.append(first[:-3])
        elif len(path.parts) == 2 and path.parts[1] == "__init__.py":
            listed.append(first)
    return [module for module in dict.fromkeys(listed) if module.isidentifier() and not module.startswith("_")]


def import_all(names):
    """What they bring along is remembered by its first names, see shadowed()."""
    before = set(sys.modules)
    for name in filter(None, names):
        try:
            for module in modules_of(name):
                __import__(module)
        except BaseException as error:
            print(f"packages: {name}: {error!r}", file=sys.__stderr__)
    imported_ahead.update(module.partition(".")[0] for module in set(sys.modules) - before)


def shadowed(path):
    """Has the program a module of the name of one that is imported already? Then its own must come first."""
    folders = {WORKSPACE, os.path.dirname(path)}
    return any(name.partition(".")[0] in imported_ahead for folder in folders for name in os.listdir(folder))


def import_packages():
    """In a zygote with packages. What cannot be imported is left to the runs, which then see why."""
    if os.environ.pop(NAMES_VARIABLE, None) is None:
        return
    names = os.pread(NAMES_FD, 1 << 16, 0).decode().split()
    os.close(NAMES_FD)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    import_all(names)
    for variable in ONE_THREAD:
        del os.environ[variable]


def prepare_spare(names):
    """In a sealed process that does not know its program yet. Threads are its own, and so may stay. Returns what
    serve() returns for the program."""
    take_packages()
    import_all(names)
    sys.stdout.flush()
    sys.stderr.flush()
    started = _docle.resume()
    sys.path_importer_cache.pop(WORKSPACE, None)
    return started


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


def stir():
    """secrets and uuid4 ask the kernel. OpenSSL's generators do not exist yet, as nothing drew from them here; and if
    something had, OpenSSL notices a fork by the process id, and by it alone."""
    ssl.RAND_add(os.urandom(48), 48.0)


def seed_with_numpy(generator):
    """Also the generator that numpy makes at its import."""
    _random.Random.seed(generator)
    sys.modules["numpy.random"].seed()


def exec_interpreter():
    os.execve(PLAIN[0], [*PLAIN, *sys.argv], os.environ)


def new_main():
    """The program's module, but for its path."""
    main = types.ModuleType("__main__")
    main.__loader__ = SourceFileLoader("__main__", "")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__builtins__ = builtins
    main.__file__ = ""
    main.__cached__ = None
    return main


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


def exit_work():
    """Where it shows how much there is to do at the end. As much as in the zygote, and no other thread: then the
    program has left nothing, and the functions that would find that out need not copy their pages."""
    return (
        atexit._ncallbacks,
        _thread._count,
        getattr(threading, "_threading_atexits", ()),
        logging._handlerList,
        weakref.finalize._registry,
        concurrent.futures.thread._threads_queues.data,
    )


def wind_up(known_modules):
    """The interpreter's order: non-daemon threads, atexit, flush, modules, flush. Returns 0, or 120 when standard
    output could not be written."""
    if changed():
        try:
            threading._shutdown()
        except BaseException as error:
            _docle.report(error)
        atexit._run_exitfuncs()
    status = 0 if flush() else flush_streams(print_unraisable)
    held = drop(last_module, gc.collect)
    if held is False:
        drop_modules(known_modules)
    elif held is not None:
        clear_module(held)
        held = None
        gc.collect()
    return status if flush() else flush_streams(lambda *_: None)


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


def take_packages():
    """What site did at the start of the interpreter, before there were packages: their .pth files."""
    folder = site.getsitepackages()[0]
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pth"):
            site.addpackage(folder, name, None)


def prepare(path, flags, settings):
    """Returns what to run."""
    spare = path is None
    if spare:
        path, flags, settings = prepare_spare(flags)
    if settings:
        if settings & SETTING_INTERPRETER:
            exec_interpreter()
        time.tzset()
    if flags & PACKAGES:
        if os.environ.get("PATH") == DEFAULT_PATH:
            os.environ["PATH"] = f"{site.getsitepackages()[0]}/bin:{DEFAULT_PATH}"
        if imported_ahead and shadowed(path):
            exec_interpreter()
        if not spare:
            take_packages()
    if flags & LIVE_OUTPUT:
        sys.stdout.reconfigure(line_buffering=True)
    main.__file__ = main.__loader__.path = path
    sys.modules["__main__"] = main
    source = read(path)
    if source is None:
        exec_interpreter()
    try:
        return path, compile(source, path, "exec", dont_inherit=True)
    except (ValueError, UnicodeError):
        exec_interpreter()
    except SyntaxError as error:
        if "unicode error" in str(error.msg) or "null byte" in str(error.msg):
            exec_interpreter()
        _docle.report(error.with_traceback(None))
        return path, None


# From here on at module level: the fewer frames of ours lie under the program's, the better.
import_packages()
open_standard_streams()
known_modules = frozenset(sys.modules)
del sys.modules["_docle"]
os.register_at_fork = real_register_at_fork
os.environ.clear()
last_module = next(reversed(sys.modules))
read, changed, flush, drop = _docle.read, _docle.changed, _docle.flush, _docle.drop
_docle.watch(exit_work())
seed = seed_with_numpy if "numpy.random" in sys.modules else _random.Random.seed
serving = seed, random._inst, stir, os.environ._data, PLAIN.copy(), f"{HERE}/training.py"
gc.collect()
gc.freeze()
main = new_main()  # not frozen: what it holds is finalised when it goes
path, code = prepare(*_docle.serve(*serving))
status, interrupted, uncaught = (0 if code else 1), False, None
try:
    if code:
        exec(code, main.__dict__)
except BaseException as error:
    uncaught = error
if uncaught is not None:
    status, interrupted = report(uncaught)
uncaught = code = main = None
status = wind_up(known_modules) or status
if interrupted:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
_docle.finish(status)
