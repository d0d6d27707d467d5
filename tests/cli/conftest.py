"""docle(1) as a user types it."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOCLE_BUILD", REPOSITORY / "build")).resolve()
DOCLE = str(BUILD / "docle")
PATIENCE_S = 60  # how long a test waits for what must happen; never a figure of the product


def environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "ASAN_OPTIONS", "DOCLE_ROOT_DIR", "NODE_EXTRA_CA_CERTS")
            if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", **more}


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def docle(*arguments, stdin="", check=None, cwd=None, **env):
    """Runs a command to its end; check: the exit code it must have."""
    done = subprocess.run([DOCLE, *map(str, arguments)], input=stdin, text=True, cwd=cwd,
                          env=environment(**env), capture_output=True, timeout=PATIENCE_S,
                          check=False)
    if check is not None:
        assert done.returncode == check, f"exit code {done.returncode}: {done.stderr}"
    return done


class Serving:
    """A `docle serve` on a port of the kernel's choice."""

    def __init__(self, folder, *flags, listen="127.0.0.1:0", **env):
        self.folder = pathlib.Path(folder)
        self.log = open(self.folder.parent / (self.folder.name + ".log"), "w+b")
        self.env = environment(DOCLE_DATA_DIR=str(self.folder), **env)
        self.process = subprocess.Popen(
            [DOCLE, "serve", "--listen", listen, *flags], env=self.env,
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("Serving on http://"), f"{line!r}: {self.log_text()}"
        self.base = line.split()[-1]

    @property
    def pid(self):
        return self.process.pid

    def log_text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def status(self, name):
        """A field of /proc/PID/status."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1].split()
        raise AssertionError(f"no {name}")

    def children(self):
        return [int(pid) for pid in
                pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def wait(self):
        return self.process.wait(PATIENCE_S)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.wait()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.log.close()


@pytest.fixture
def folder():
    """A folder that every user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="docle-cli-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def serve(folder):
    started = []

    def start(*flags, data="data", **more):
        server = Serving(folder / data, *flags, **more)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
