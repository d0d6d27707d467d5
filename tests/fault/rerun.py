"""Reruns a unit test program with the nth allocation or system call failing: rerun.py PROGRAM

A test may then fail: it asserts that things work. It must not crash (a signal, a failed assert of
the product, a sanitizer's report), and not hang. Where every test still passes although the fault came
to pass, nothing may have leaked either: that is the leak sanitizer's to say.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

KINDS = ("memory", "system", "interrupt", "short")
POINTS = int(os.environ.get("DOCLE_FAULT_POINTS", "30"))
SANITIZED = 66
TIMEOUT_S = 120


def run(program, folder, fault=None, leaks=True):
    counts = folder / f"counts-{fault or 'none'}".replace(":", "-")
    env = dict(
        os.environ,
        DOCLE_FAULT_COUNT=str(counts),
        CMOCKA_MESSAGE_OUTPUT="TAP",
        TMPDIR=str(folder),
        ASAN_OPTIONS=f"exitcode={SANITIZED}:detect_leaks={int(leaks)}:abort_on_error=0",
        UBSAN_OPTIONS=f"exitcode={SANITIZED}:halt_on_error=1",
    )
    env.pop("DOCLE_FAULT", None)
    if fault:
        env["DOCLE_FAULT"] = fault
    try:
        done = subprocess.run([program], env=env, cwd=folder, capture_output=True, text=True,
                              errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace"), {}
    values = dict(line.split() for line in counts.read_text().splitlines()) \
        if counts.exists() else {}
    return done.returncode, done.stdout + done.stderr, values


def points(total):
    """The first half of the points one by one, the rest spread evenly."""
    first = list(range(1, min(total, POINTS // 2) + 1))
    left = total - len(first)
    stride = max(1, left // max(1, POINTS - len(first)))
    return first + list(range(len(first) + stride, total + 1, stride))


def crash(program, folder, fault):
    """What went wrong beyond failing tests, or None."""
    code, output, values = run(program, folder, fault, leaks=False)
    if code is None:
        return f"hangs\n{output}"
    if code < 0:
        return f"dies of signal {-code}\n{output}"
    if code == SANITIZED:
        return f"sanitizer report\n{output}"
    if code == 0 and values.get("fired") == "1":
        code, output, _ = run(program, folder, fault, leaks=True)
        if code == SANITIZED:
            return f"leaks\n{output}"
    return None


def main():
    program = os.path.abspath(sys.argv[1])
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="docle-rerun-", dir=memory) as name:
        folder = pathlib.Path(name)
        code, output, totals = run(program, folder)
        if code != 0:
            sys.exit(f"{program} fails without faults\n{output}")
        faults = [f"{kind}:{n}" for kind in KINDS for n in points(int(totals[kind]))]
        if not faults:
            sys.exit(f"{program} makes no call that could fail")
        with ThreadPoolExecutor(2) as pool:
            problems = list(pool.map(lambda fault: crash(program, folder, fault), faults))
        bad = [(fault, problem) for fault, problem in zip(faults, problems) if problem]
        for fault, problem in bad:
            print(f"DOCLE_FAULT={fault}: {problem}")
        print(f"{len(faults)} faults, {len(bad)} problems")
        sys.exit(bool(bad))


main()
