"""Each payload sealed: exactly what its header expects, and the host as before. Each defence that a payload names is
then switched off, in a build for tests, and the observation must change: else the test would prove nothing."""

import pathlib
import re
import time

import pytest
from sealed import Launcher

PAYLOADS = sorted((pathlib.Path(__file__).parent / "payloads").iterdir())


def plain(text):
    """Without the marks that Python puts around tuples and strings."""
    return re.sub(r"[(),']", "", text)


class Payload:
    def __init__(self, path):
        self.code = path.read_text()
        self.lang = {".py": "python", ".js": "node"}[path.suffix]
        self.says = dict(re.findall(r"^(?:#|//) (expect|without|twice|outcome|timeout): (.*)$", self.code, re.M))

    def observe(self, launcher):
        ended = launcher.run(self.code, self.lang, timeout_ms=int(self.says.get("timeout", 20000)))
        if "outcome" in self.says:
            return f"{ended.kind} {ended.status}", ended
        return ended.out.strip() if ended.kind == "exited" else f"{ended.kind} {ended.status}", ended


@pytest.fixture(scope="module")
def launcher():
    with Launcher() as one:
        yield one


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.name)
def test_sealed(launcher, path):
    payload = Payload(path)
    for _ in range(2 if "twice" in payload.says else 1):
        observed, ended = payload.observe(launcher)
        assert plain(observed) == plain(payload.says["expect"]), ended
    launcher.host_is_clean()


@pytest.mark.parametrize(
    "path", [path for path in PAYLOADS if "without" in Payload(path).says], ids=lambda path: path.name)
def test_proves_its_defence(path):
    payload = Payload(path)
    with Launcher(without=payload.says["without"].split("+")) as weak:
        observed, ended = payload.observe(weak)
    assert plain(observed) != plain(payload.says["expect"]), ended


RANDOM = {
    "python": "import ssl, random, uuid, secrets, tempfile\n"
              "print(ssl.RAND_bytes(16).hex(), random.random(), uuid.uuid4(), secrets.token_hex(), tempfile.mktemp())",
    "node": "const c = require('crypto');\n"
            "console.log(c.randomBytes(16).toString('hex'), c.randomUUID(), Math.random(),"
            " c.getRandomValues(new Uint32Array(4)).join('-'), require('fs').mkdtempSync('/tmp/x'))",
}


@pytest.mark.parametrize("lang", ["python", "node"])
def test_random_numbers_are_never_alike(launcher, lang):
    """Z-01, Z-02"""
    rows = [launcher.run(RANDOM[lang], lang).out.split() for _ in range(100)]
    for column in zip(*rows, strict=True):
        assert len(set(column)) == 100, column[:3]
    assert len(rows[0]) == 5


def test_runs_do_not_see_each_other():
    """V-01, V-03, V-04, at once."""
    first = ("import os, socket, time\nopen('/dev/shm/x', 'w').write('secret')\n"
             "s = socket.create_server(('127.0.0.1', 9000))\ntime.sleep(3)\nprint('done')")
    second = ("import os, socket, time\ntime.sleep(1)\n"
              "pids = []\n"
              "for pid in range(2, 32768):\n"
              "    try:\n        os.kill(pid, 0)\n        pids.append(pid)\n    except ProcessLookupError: pass\n"
              "    except PermissionError: pids.append(-pid)\n"
              "try: socket.create_connection(('127.0.0.1', 9000)); met = 'met'\n"
              "except ConnectionRefusedError: met = 'refused'\n"
              "socket.create_server(('127.0.0.1', 9000))\n"
              "print(pids, met, os.path.exists('/dev/shm/x'))")
    with Launcher() as launcher:
        runs = [launcher.start(first), launcher.start(second)]
        ended = [launcher.finish(run) for run in runs]
    assert ended[0].out == "done\n" and ended[1].out == "[2] refused False\n", ended


def test_old_zygotes_still_serve_node():
    """A Node 18 or 20 zygote older than some 8 s hung every run without the guard of the loop."""
    with Launcher() as launcher:
        time.sleep(21)
        for _ in range(3):
            ended = launcher.run("setTimeout(() => console.log('late'), 20); console.log('now')", "node",
                                 timeout_ms=10000)
            assert (ended.kind, ended.out) == ("exited", "now\nlate\n"), ended
