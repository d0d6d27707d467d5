"""docle run with a network, as root and without, and a third-party client that was sent along."""

import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from harness import BUILD, COMMAND, PATIENCE_S, environment
from identity import copy_build
from world import RESOLVER

NOBODY = 65534
REQUESTS = pathlib.Path("/usr/lib/python3/dist-packages")
PROGRAM = "import socket; print(socket.create_connection(('api.test', 5432)).recv(6).decode(), end='')"


def docle_run(world, *words, command=COMMAND, **env):
    assert world
    return subprocess.run(
        [*command, "run", "-", "--lang", "python", "--network-resolvers", RESOLVER, "--timeout-ms", "60000", *words],
        env=environment(**env), input=PROGRAM, text=True, capture_output=True, timeout=2 * PATIENCE_S)


def test_allow_net(world):
    done = docle_run(world, "--allow-net", "api.test:5432")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    done = docle_run(world, "--allow-net", "*.test", "--allow-port", "5432", "--json")
    (attempt,) = json.loads(done.stdout)["network"]
    assert (attempt["host"], attempt["port"], attempt["verdict"]) == ("api.test", 5432, "allowed")
    assert docle_run(world, "--allow-net", "api.test").returncode == 1
    done = docle_run(world)
    assert done.returncode == 1 and "network" not in done.stdout


@pytest.mark.parametrize("words, said", [
    (["--allow-net", "http://api.test"], "URL"),
    (["--allow-net", "api.test", "--allow-port", "0"], "--allow-port"),
    (["--allow-net", "api.test", "--allow-port", "25"], "port 25 is closed"),
    (["--allow-port", "80", "--allow-net", "10.9.9.9"], "address"),
])
def test_mistakes(world, words, said):
    done = docle_run(world, *words)
    assert done.returncode not in (0, 1) and said in done.stderr, done


def test_private_host_of_the_users_own(world):
    done = docle_run(world, "--allow-net", "api.test:5432", "--network-private", "10.0.0.0/8", "--json")
    assert json.loads(done.stdout)["network"][0]["verdict"] == "allowed"


def test_without_root(world):
    """The relay and the slot's sockets need no right of the host's."""
    with tempfile.TemporaryDirectory(prefix="docle-nobody-") as folder:
        os.chmod(folder, 0o755)
        build = pathlib.Path(folder, "build")
        copy_build(BUILD, build)
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", build / "docle"]
        root = pathlib.Path(folder, "root")
        root.mkdir()
        os.chown(root, NOBODY, NOBODY)
        done = docle_run(world, "--allow-net", "api.test:5432", "--floor", "limited", command=command, HOME=folder,
                         DOCLE_ROOT_DIR=str(root))
        assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_requests(client):
    """The library that most programs use, sent along as files."""
    files = [{"path": "main.py", "content": "import json, requests\nsession = requests.Session()\n"
              "print(json.dumps([session.get('https://api.test/x', verify='ca.pem').json()['line'],\n"
              "                  requests.post('http://api.test/', data=b'x' * 5000).json()['body']]))\n"},
             {"path": "ca.pem", "content": client.world.ca}]
    for package in ("requests", "urllib3", "idna", "certifi", "chardet"):
        for path in sorted((REQUESTS / package).rglob("*.py")):
            if "cli" not in path.parts and not path.name.startswith("lang"):
                files.append({"path": str(path.relative_to(REQUESTS)), "content": path.read_text()})
    for path in (REQUESTS / "chardet").glob("lang*.py"):  # tables that only guessing needs
        files.append({"path": f"chardet/{path.name}", "content": "def __getattr__(_name):\n    return None\n"})
    if not (REQUESTS / "six.py").exists():
        files.append({"path": "six.py", "content": ""})
    else:
        files.append({"path": "six.py", "content": (REQUESTS / "six.py").read_text()})
    policy = {"allowNet": True, "allowedHosts": ["api.test"], "timeoutMs": 60000}
    result = client.post({"lang": "python", "files": files, "policy": policy}).json()
    assert result.get("stdout") == '["GET /x HTTP/1.1", 5000]\n', result
    assert sorted(one["port"] for one in result["network"]) == [80, 443]
