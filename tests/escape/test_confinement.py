"""The launcher's own processes are confined once they serve: launcher, sweeper, nursery and slots' inits,
and whatever comes below them. With --probe, which test builds know, each tries calls that it does not need."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from launcher import PATIENCE_S, Launcher

LINE = re.compile(r"^probe (\w+) (\w+)=(\w+)$", re.M)
OFF = ("own-seccomp", "own-landlock")

# What each answers; the rest of its calls it needs.
CONFINED = {
    "launcher": {"unshare": "EPERM", "execve": "EPERM", "fork": "EPERM", "socket": "EPERM", "unix": "EPERM",
                 "executable": "EPERM", "open": "EACCES", "memory": "EPERM", "kcmp": "EPERM"},
    "sweeper": {"unshare": "EPERM", "execve": "EPERM", "fork": "EPERM", "socket": "EPERM", "unix": "EPERM",
                "executable": "EPERM", "open": "EACCES", "memory": "EPERM", "kcmp": "EPERM"},
    "nursery": {"memory": "EPERM", "kcmp": "EPERM"},
    "init": {"unshare": "EPERM", "execve": "EPERM", "unix": "EPERM", "executable": "EPERM", "memory": "EPERM",
             "kcmp": "EPERM"},
}


def answers(launcher):
    """{process: {call: answer}} once each process has said all; of several inits, one."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = {}
        for who, call, answer in LINE.findall(launcher.log()):
            found.setdefault(who, {})[call] = answer
        if found.keys() == CONFINED.keys() and all(len(said) == 10 for said in found.values()):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_what_is_not_needed_is_refused(sealed):
    with Launcher(*sealed, options=["--probe"]) as launcher:
        found = answers(launcher)
        assert launcher.run("print(1)", "python").out == "1\n"
    for who, expected in CONFINED.items():
        assert {call: found[who][call] for call in expected} == expected, who


def test_it_is_the_confinement_that_refuses(sealed):
    with Launcher(*sealed, without=OFF, options=["--probe"]) as launcher:
        found = answers(launcher)
    for who, expected in CONFINED.items():
        allowed = {call: found[who][call] for call in expected}
        assert allowed == {call: "ENOENT" if call == "execve" else "ok" for call in expected}, who


def test_the_server_too(sealed, tmp_path):
    """The API process, by the same calls. It may speak to others, and map what a library needs."""
    build = sealed[0].parent
    environment = {**os.environ, "DOCLE_TEST_PROBE": "1", "DOCLE_DATA_DIR": str(tmp_path / "data"),
                   "DOCLE_ROOT_DIR": str(sealed[1])}
    environment.pop("DOCLE_BUILD", None)
    with subprocess.Popen([build / "docle", "serve", "--listen", "127.0.0.1:0"], env=environment, text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as server:
        said = {}
        for line in server.stderr:
            if found := LINE.match(line):
                assert found[1] == "server"
                said[found[2]] = found[3]
            if len(said) == 10:
                break
        server.send_signal(signal.SIGTERM)
        server.stderr.read()
    refused = {call for call, answer in said.items() if answer != "ok"}
    assert refused == {"unshare", "execve", "fork", "open", "memory", "kcmp", "kill"}, said


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


def descendants(pid):
    """(pid, {field: value}) of all processes below."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = status(path.name)
            parents.setdefault(int(fields["PPid"]), []).append((int(path.name), fields))
    found, waiting = [], [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            found.append(child)
            waiting.append(child[0])
    return found


def test_every_process_has_a_filter(sealed):
    with Launcher(*sealed) as launcher:
        launcher.run("print(1)", "python")
        below = descendants(launcher.pid)
        names = [fields["Name"] for _, fields in below]
        # sweeper, nursery and at least one init; a zygote of each runtime
        assert names.count("docle-sweeper") == 1 and names.count("docle-launcher") >= 2, names
        assert len(below) >= 5, names
        for pid, fields in [(launcher.pid, status(launcher.pid)), *below]:
            assert fields["Seccomp"] == "2", (pid, fields["Name"])
            assert fields["NoNewPrivs"] == "1", (pid, fields["Name"])


@pytest.mark.parametrize("name, kept", [("docle-launcher", {5}), ("docle-sweeper", {1, 5})])
def test_capabilities_that_are_left(sealed, name, kept):
    """CAP_KILL is 5, CAP_DAC_OVERRIDE 1."""
    with Launcher(*sealed) as launcher:
        pids = [launcher.pid, *(pid for pid, fields in descendants(launcher.pid) if fields["Name"] == name)]
        pid = pids[0] if name == "docle-launcher" else pids[1]
        bits = int(status(pid)["CapPrm"], 16)
    assert {bit for bit in range(64) if bits >> bit & 1} == kept
