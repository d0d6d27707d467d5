"""Without root, on hosts with cgroup v1: the operator has given the user a group (docle doctor says
how)."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
import requests

from conftest import DOCLE, PATIENCE_S, REPOSITORY, environment, needs_root

sys.path.insert(0, str(REPOSITORY / "tests/api"))

from identity import GROUPS, copy_build, make_groups, remove_groups  # noqa: E402

USER = 65534

pytestmark = [
    needs_root,
    pytest.mark.skipif(not (GROUPS / "memory").is_dir(), reason="needs cgroup v1"),
]


@pytest.fixture
def groups():
    """A group in each hierarchy, the user's."""
    made = make_groups(USER)
    yield made
    remove_groups(made)


@pytest.fixture
def as_user(groups, folder):
    """Starts a command as the user in its groups."""
    home = folder / "home"
    home.mkdir()
    os.chown(home, USER, USER)
    build = folder / "build"
    copy_build(pathlib.Path(DOCLE).parent, build)
    joins = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups)

    def start(*arguments, root_dir=home / "root", **more):
        script = (f"{joins}exec setpriv --reuid {USER} --regid {USER} --clear-groups "
                  f'{build}/docle "$@"')
        return subprocess.Popen(["sh", "-ec", script, "docle", *map(str, arguments)],
                                env={**environment(), "HOME": str(home),
                                     "DOCLE_ROOT_DIR": str(root_dir)},
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


def test_anothers_sealed_root(as_user):
    """Where packages come from is told to the root's owner alone: said, not passed over."""
    report = json.loads(as_user("doctor", "--json", root_dir=os.environ["DOCLE_ROOT_DIR"]).communicate(timeout=PATIENCE_S)[0])
    found = [check for check in report["checks"] if check["name"] == "packages"]
    assert found and all("another user's" in check["found"] and "DOCLE_ROOT_DIR" in check["remedy"] for check in found)
