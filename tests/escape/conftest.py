"""Builds, sealed roots and the host check for the escape tests.

Environment: DOCLE_BUILD, the build under test, with DOCLE_ROOT_DIR, the sealed root of its addons;
DOCLE_TEST_HOOKS_BUILD, a build with -Dtest_hooks=true, when the first has no such switches. What is
missing is made.
"""

import os
import pathlib
import re
import subprocess
import tempfile

import pytest

from escape import HELLO, TOP, has_switches


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


@pytest.fixture
def check_host():
    """The host check: nothing of a run is left, mounts are as before, and the next runs are fine."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()

    def check(launcher):
        assert launcher.host_leftovers() == []
        for lang, code in HELLO.items():
            ended = launcher.run(code, lang)
            assert (ended.outcome, ended.out) == ("exited 0", "hello\n"), ended
        assert launcher.host_leftovers() == []
        assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts

    return check
