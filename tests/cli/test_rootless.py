"""Without root, on hosts with cgroup v1: the operator has given the user a group (docle doctor says
how)."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
import requests

from conftest import DOCLE, PATIENCE_S, environment, needs_root, wait_for

USER = 65534
PARTS = ("memory", "pids", "cpu", "cpuacct", "unified")
GROUPS = pathlib.Path("/sys/fs/cgroup")

pytestmark = [
    needs_root,
    pytest.mark.skipif(not (GROUPS / "memory").is_dir(), reason="needs cgroup v1"),
]


def own_group(part):
    """Where this process is in a hierarchy: the test may itself run in a group."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if part in names.split(",") or (part == "unified" and not names):
            return GROUPS / part / path.lstrip("/")
    return GROUPS / part


@pytest.fixture
def groups():
    """A group in each hierarchy, the user's."""
    made = []
    for part in PARTS:
        group = own_group(part) / f"docle-test.{os.getpid()}"
        group.mkdir()
        made.append(group)
        for path in (group, *group.iterdir()):
            os.chown(path, USER, USER)
    yield made
    for group in made:
        wait_for(lambda group=group: not (group / "cgroup.procs").read_text(), f"{group} is empty")
        assert not [path for path in group.iterdir() if path.is_dir()], "groups are left behind"
        group.rmdir()


@pytest.fixture
def as_user(groups, folder):
    """Starts a command as the user in its groups."""
    home = folder / "home"
    home.mkdir()
    os.chown(home, USER, USER)
    # Every user may enter the folder, and the build may lie where not every user may.
    build = folder / "build"
    (build / "src").mkdir(parents=True)
    for name in ("docle", "docle-launcher", "docle-egress"):
        shutil.copy(pathlib.Path(DOCLE).parent / name, build)
    shutil.copytree(pathlib.Path(DOCLE).parent / "src" / "runtimes", build / "src" / "runtimes",
                    ignore=shutil.ignore_patterns("*.p"))
    joins = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups)

    def start(*arguments, **more):
        script = (f"{joins}exec setpriv --reuid {USER} --regid {USER} --clear-groups "
                  f'{build}/docle "$@"')
        return subprocess.Popen(["sh", "-ec", script, "docle", *map(str, arguments)],
                                env={**environment(), "HOME": str(home),
                                     "DOCLE_ROOT_DIR": str(home / "root")},
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)
    return start


def test_doctor_and_run(as_user):
    said, trouble = as_user("runtimes", "refresh").communicate(timeout=PATIENCE_S)
    assert not said and "node" in trouble
    doctor = as_user("doctor", "--json")
    report = json.loads(doctor.communicate(timeout=PATIENCE_S)[0])
    assert doctor.returncode == 0
    assert report["level"] in ("standard", "full")
    assert "rootless" in report["checks"][0]["found"]
    code = "import os; print(os.getuid(), os.listdir('/workspace'), flush=True); x = 'x' * (1 << 30)"
    run = as_user("run", "-", "--lang", "python", "--memory-mb", "64")
    said, trouble = run.communicate(code, timeout=PATIENCE_S)
    assert said == "1000 ['main.py']\n"
    assert run.returncode in (1, 137)  # MemoryError, or killed by the cgroup


def test_packages(as_user):
    """Layers of the user's own, in the user's folder."""
    for lang, spec, code in (("python", "six==1.16.0", "import six; print(six.__version__)"),
                             ("node", "ms@2.1.3", "console.log(require('ms')('1s'))")):
        run = as_user("run", "-", "--lang", lang, "--packages", spec)
        said, trouble = run.communicate(code, timeout=PATIENCE_S * 2)
        assert (run.returncode, said) == (0, {"python": "1.16.0\n", "node": "1000\n"}[lang]), trouble
    listed = as_user("packages", "list").communicate(timeout=PATIENCE_S)[0]
    assert "six==1.16.0" in listed and "ms@2.1.3" in listed


def test_serve(as_user):
    server = as_user("serve", "--listen", "127.0.0.1:0")
    try:
        line = server.stdout.readline()
        assert line.startswith("Serving on "), line + server.stderr.read()
        base = line.split()[-1]
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        assert f"Uid:\t{USER}" in status
        for fact in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            assert fact in status
        made = as_user("keys", "create", "--project", "p", "--json").communicate(timeout=PATIENCE_S)[0]
        key = json.loads(made)["key"]
        for lang, code in (("python", "print(1)"), ("node", "console.log(1)")):
            answer = requests.post(base + "/api/run", json={"lang": lang, "code": code},
                                   headers={"Authorization": "Bearer " + key}, timeout=PATIENCE_S)
            assert answer.json()["stdout"] == "1\n"
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=PATIENCE_S)
    assert server.returncode == 0
