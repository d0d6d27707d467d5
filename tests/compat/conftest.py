"""Programs inside a sandbox, through a server of the tests' own: a run takes milliseconds there."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
import requests

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOCLE_BUILD", REPOSITORY / "build")).resolve()
DOCLE = str(BUILD / "docle")
PATIENCE_S = 60


class Sandbox:
    def __init__(self, folder):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCLE_ROOT_DIR") if name in os.environ}
        self.env = {**kept, "LANG": "C.UTF-8", "DOCLE_DATA_DIR": str(folder / "data")}
        self.log = open(folder / "log", "w+b")
        self.process = subprocess.Popen([DOCLE, "serve", "--listen", "127.0.0.1:0"], env=self.env,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("Serving on http://"), f"{line!r}: {pathlib.Path(self.log.name).read_text()}"
        self.base = line.split()[-1].rstrip("/")
        self.started = time.monotonic()
        made = subprocess.run([DOCLE, "keys", "create", "--project", "compat", "--json"], env=self.env,
                              capture_output=True, check=True, timeout=PATIENCE_S)
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer " + json.loads(made.stdout)["key"]
        deadline = time.monotonic() + PATIENCE_S
        while self.session.get(self.base + "/readyz", timeout=PATIENCE_S).status_code != 200:
            assert time.monotonic() < deadline, "not ready"
            time.sleep(0.05)

    def run(self, lang, files, entrypoint, **more):
        """The API's result of a program: {path: text} and which of the files to start."""
        body = {"lang": lang, "entrypoint": entrypoint, "store": False,
                "files": [{"path": path, "content": text} for path, text in files.items()],
                "policy": {"timeoutMs": PATIENCE_S * 1000, "memoryMB": 512}, **more}
        answer = self.session.post(self.base + "/api/run", json=body, timeout=2 * PATIENCE_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def age_s(self):
        return time.monotonic() - self.started

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    sandbox = Sandbox(tmp_path_factory.mktemp("compat"))
    yield sandbox
    sandbox.close()
