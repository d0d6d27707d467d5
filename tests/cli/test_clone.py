"""What README says, word for word: a clone, `make run`, `make install`."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest
import requests

from conftest import REPOSITORY, environment

BUILD_S = 600  # a build on a slow machine


@pytest.fixture(scope="module")
def clone():
    """A clone in a folder that only its owner may enter, as root's home is."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="docle-clone-"))
    subprocess.run(["git", "clone", "-q", REPOSITORY, folder / "docle"], check=True)
    yield folder / "docle"
    shutil.rmtree(folder)


class MakeRun:
    def __init__(self, clone_, port, **more):
        self.log = open(clone_.parent / "log", "w+", encoding="utf-8")
        env = environment(DOCLE_LISTEN=f"127.0.0.1:{port}",
                          DOCLE_ROOT_DIR=str(clone_.parent / "root"), **more)
        self.process = subprocess.Popen(["make", "run"], cwd=clone_, env=env, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, start_new_session=True)
        self.said = []

    def until(self, pattern):
        """Reads what is printed until a line matches."""
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(pattern, line):
                return found
        self.log.seek(0)
        raise AssertionError("".join(self.said)[-3000:] + self.log.read()[-3000:])

    def interrupt(self):
        """As Ctrl-C in a terminal: the whole group gets it."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.communicate(timeout=60)
        self.log.close()


def test_make_run(clone, free_port):
    first = MakeRun(clone, free_port)
    try:
        key = first.until(r"(sk_live_[0-9a-f]{48})").group(1)
        first.until("Hello from Python 3")
        first.until("Hello from Node.js v")
        first.until("Ctrl-C ends the server")
        answer = requests.post(f"http://127.0.0.1:{free_port}/api/run", timeout=60,
                               json={"lang": "python", "code": "print(6 * 7)"},
                               headers={"Authorization": "Bearer " + key})
        assert answer.json()["stdout"] == "42\n"
    finally:
        first.interrupt()
    again = MakeRun(clone, free_port)
    try:
        again.until("Serving on")
        said = "".join(again.said)
        assert "sk_live_" not in said
        assert "keys create" in said
        assert "ninja" not in said and "meson" not in said and "Compiling" not in said
        answer = requests.post(f"http://127.0.0.1:{free_port}/api/run", timeout=60,
                               json={"lang": "python", "code": "print(6 * 7)"},
                               headers={"Authorization": "Bearer " + key})
        assert answer.json()["stdout"] == "42\n"
    finally:
        again.interrupt()


def test_make_install(clone):
    prefix = clone.parent / "prefix"
    env = environment(PREFIX=str(prefix), DOCLE_ROOT_DIR=str(clone.parent / "root"))
    subprocess.run(["make", "install"], cwd=clone, env=env, check=True, capture_output=True,
                   timeout=BUILD_S)
    for path in ("bin/docle", "libexec/docle/docle-launcher", "libexec/docle/docle-egress",
                 "libexec/docle/runtimes/make-root",
                 "share/man/man1/docle.1", "share/man/man5/docle.conf.5",
                 "share/man/man8/docle-server.8", "share/doc/docle/docle.conf.example"):
        assert (prefix / path).is_file(), path
    unit = (prefix / "lib/systemd/system/docle.service").read_text()
    assert f"ExecStart={prefix}/bin/docle serve" in unit and "Delegate=yes" in unit
    done = subprocess.run([prefix / "bin/docle", "run", "-", "--lang", "node"], env=env, text=True,
                          input="console.log(6 * 7)", capture_output=True, check=True, timeout=120)
    assert done.stdout == "42\n"


def test_make_install_below_a_destination(clone):
    """As a packager does; nothing may land outside."""
    destination = clone.parent / "destination"
    env = environment(PREFIX="/usr", DESTDIR=str(destination))
    subprocess.run(["make", "install"], cwd=clone, env=env, check=True, capture_output=True,
                   timeout=BUILD_S)
    assert (destination / "usr/bin/docle").is_file()
    assert "ExecStart=/usr/bin/docle serve" in (
        destination / "usr/lib/systemd/system/docle.service").read_text()
    assert not os.path.exists("/usr/bin/docle")
