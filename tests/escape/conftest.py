"""Builds, sealed roots and the host check for the escape tests.

Environment: DOCLE_BUILD, the build under test, with DOCLE_ROOT_DIR, the sealed root of its addons;
DOCLE_TEST_HOOKS_BUILD, a build with -Dtest_hooks=true, when the first has no such switches. What is
missing is made.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import pytest

from escape import HELLO, HERE, TOP, has_switches
from launcher import Launcher


@pytest.fixture(scope="session")
def make_root():
    """Makes sealed roots from a build's addons, where every id can walk to them."""
    with tempfile.TemporaryDirectory(prefix="docle-escape-") as top:
        os.chmod(top, 0o755)

        def make(build):
            folder = pathlib.Path(tempfile.mkdtemp(dir=top))
            folder.chmod(0o755)
            subprocess.run([build / "src/runtimes/make-root", "--root-dir", folder, "--quiet"], check=True,
                           stdout=subprocess.DEVNULL)
            return folder

        yield make


@pytest.fixture(scope="session")
def sealed(make_root):
    """(program, root) of the build under test."""
    build = pathlib.Path(os.environ.get("DOCLE_BUILD", TOP / "build")).resolve()
    return build / "docle-launcher", os.environ.get("DOCLE_ROOT_DIR") or make_root(build)


@pytest.fixture(scope="session")
def switched(make_root, sealed):
    """(program, root) of a build whose defences can be switched off."""
    if "DOCLE_TEST_HOOKS_BUILD" not in os.environ and has_switches(sealed[0].parent):
        return sealed
    build = pathlib.Path(os.environ.get("DOCLE_TEST_HOOKS_BUILD", TOP / "build-hooks")).resolve()
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", build, "-Dtest_hooks=true", "-Dtests=false"], cwd=TOP, check=True)
    targets = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    needed = re.findall(r"^(docle-launcher|src/runtimes/[^/:]+):", targets, re.M)
    subprocess.run(["ninja", "-C", build, "-j2", "--quiet", *needed], check=True)
    assert has_switches(build), f"{build} was set up without -Dtest_hooks=true"
    return build / "docle-launcher", make_root(build)


@pytest.fixture(scope="session")
def aged(sealed):
    """(launcher, when it was started): made when the session begins, looked at in test_many.py when it is old."""
    with Launcher(*sealed, slots=1) as old:
        yield old, time.monotonic()


def say_hello(launcher):
    for lang, code in HELLO.items():
        ended = launcher.run(code, lang)
        assert (ended.outcome, ended.out) == ("exited 0", "hello\n"), ended


@pytest.fixture(scope="session")
def begin():
    """Remembers how a new launcher looks when nothing was done to it yet."""

    def remember(launcher):
        say_hello(launcher)
        launcher.first_shape = launcher.steady_shape()
        return launcher

    return remember


@pytest.fixture
def check_host():
    """The host check: nothing of a run is left, mounts and the launcher's processes are as before, and the
    next runs are fine."""
    before = set(our_mounts())

    def check(launcher):
        assert launcher.host_leftovers() == []
        say_hello(launcher)
        assert launcher.host_leftovers() == []
        assert set(our_mounts()) <= before
        if launcher.first_shape:
            assert launcher.steady_shape(launcher.first_shape) == launcher.first_shape

    return check


def our_mounts():
    """Mounts of the host where a run or a sealed root has its own; others may mount as they like."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4]
        if place in ("/workspace", "/tmp", "/dev/shm", "/proc") or "/rootfs" in place or "docle-escape" in place:
            yield line


@pytest.fixture(scope="session")
def outer_network():
    """The start of a command that runs in a network of fake hosts without any way out."""
    program = [sys.executable, HERE / "outer_network.py"]
    with subprocess.Popen(["unshare", "--net", *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"ready\n"
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        holder.stdin.close()
