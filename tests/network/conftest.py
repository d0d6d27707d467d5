"""Runs that use the network, against hosts that exist for the tests alone; see world.py.

Environment: as for tests/api. The process enters a network namespace of its own, so this suite runs
as root and in a pytest of its own. Packages are installed from the namespace it came from, as nothing
else here: the registries that the machine is set up for are out there.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import requests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "api"))

from harness import COMMAND, PATIENCE_S, Server  # noqa: E402
from world import RESOLVER, World, enter_own_namespace  # noqa: E402

OUTSIDE = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
INSTALL_S = 5 * PATIENCE_S
HTTPX, AXIOS = "httpx==0.27.2", "axios@1.7.9"

if os.geteuid() == 0:
    enter_own_namespace()


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="makes network namespaces: needs root"))


@pytest.fixture(scope="session")
def world():
    made = World()
    yield made
    made.close()


class Client:
    """Runs programs with a network, on one server."""

    def __init__(self, server, world):
        self.server, self.world = server, world
        self.key = server.create_key("tests")["key"]

    def post(self, body):
        return requests.post(self.server.url("/api/run"), json=body, timeout=2 * PATIENCE_S,
                             headers={"Authorization": f"Bearer {self.key}"})

    def run(self, code, hosts=(), lang="python", ports=None, timeout_ms=60000, **fields):
        """The result of a program that may reach hosts. Its files hold the certificate ca.pem."""
        name = "main.py" if lang == "python" else "main.js"
        policy = {"allowNet": True, "allowedHosts": list(hosts), "timeoutMs": timeout_ms,
                  **({"allowedPorts": ports} if ports else {})}
        files = [{"path": name, "content": code}, {"path": "ca.pem", "content": self.world.ca}]
        answer = self.post({"lang": lang, "files": files, "entrypoint": name, "policy": policy, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def look(self, code, *arguments, **more):
        """What a program printed as JSON, and what it tried: [(host, port, verdict)]."""
        result = self.run(code, *arguments, **more)
        assert result["outcome"] == "ok", result
        return json.loads(result["stdout"]), attempts(result)


def attempts(result):
    return [(one["host"], one["port"], one["verdict"]) for one in result["network"]]


@pytest.fixture(scope="session")
def make_client(world):
    """Servers with settings of a test's own; gone when the session ends."""
    made = []

    def make(*flags, env=None):
        made.append(Server("--network-resolvers", RESOLVER, *flags, env=env).start())
        return Client(made[-1], world)

    yield make
    for server in made:
        server.clean()


@pytest.fixture(scope="session")
def client(make_client):
    return make_client()


def install_outside(server, lang, package):
    """`docle packages install` where there is an uplink, into the folder of a server that is here."""
    done = subprocess.run(
        ["nsenter", f"--net=/proc/self/fd/{OUTSIDE}", *COMMAND, "packages", "install", "--lang", lang, package],
        env=server.env, pass_fds=[OUTSIDE], text=True, capture_output=True, timeout=INSTALL_S)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def package_client(world):
    """A server that has the real clients' packages as layers, and no way to install any."""
    server = Server("--network-resolvers", RESOLVER)
    try:
        install_outside(server, "python", HTTPX)
        install_outside(server, "node", AXIOS)
        yield Client(server.start(), world)
    finally:
        server.clean()
