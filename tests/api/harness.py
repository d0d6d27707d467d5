"""A real server on a port of its own, and what the machine holds for it."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

import requests

from identity import IDENTITY

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = IDENTITY.build(pathlib.Path(os.environ.get("DOCLE_BUILD", REPOSITORY / "build")).resolve())
DOCLE = BUILD / "docle"
COMMAND = [*IDENTITY.prefix, str(DOCLE)]  # docle(1) as whom the tests run it
# A figure of how patient the tests are; never of how fast the product is.
PATIENCE_S = float(os.environ.get("DOCLE_TEST_PATIENCE_S", "60"))
# A build with sanitizers: what they need of the environment, and how their reports begin.
SANITIZERS = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "DOCLE_TEST_UNSEALED")
SANITIZED = "DOCLE_TEST_UNSEALED" in os.environ
REPORT = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|: runtime error: ")


def environment(**more):
    """What the programs under test see: nothing of the caller's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", *SANITIZERS) if name in os.environ}
    if "DOCLE_ROOT_DIR" in os.environ:
        kept["DOCLE_ROOT_DIR"] = os.environ["DOCLE_ROOT_DIR"]
    return {**kept, **IDENTITY.environment, "LANG": "C.UTF-8", **more}


def open_to_programs(folder):
    """A folder of pytest's, which only root may enter, for programs that are not root's."""
    for path in (folder, *folder.parents):
        if str(path).startswith("/tmp/"):
            path.chmod(0o755)
    IDENTITY.give(folder)


def wait_for(condition, what, seconds=PATIENCE_S, pause=0.02):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)


def parents():
    """pid → parent, of all processes that are not zombies."""
    table = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{entry}/stat").read_text()
            fields = text[text.rindex(")") + 2 :].split()
            if fields[0] != "Z":
                table[int(entry)] = int(fields[1])
    return table


def descendants(pid):
    table = parents()
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in table.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found - {pid}


def command_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return [b""]


def listening_port(pid):
    """The TCP port that a process listens on, from the kernel's own tables."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(fd)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].rsplit(":", 1)[1], 16)
    return None


class Server:
    """`docle serve` on a data folder of its own."""

    def __init__(self, *flags, data=None, env=None):
        self.owned = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="docle-api-"))
        if self.owned:
            os.chmod(self.data, 0o755)  # the server gives up root and must still get in
        IDENTITY.give(self.data)
        self.folder = self.data / "data"
        self.flags = flags
        self.env = environment(DOCLE_DATA_DIR=str(self.folder), **(env or {}))
        self.process = None
        self.port = None
        self.log = self.data / "log"

    def docle(self, *arguments, check=True):
        done = subprocess.run(
            [*COMMAND, *arguments], env=self.env, check=check, text=True, capture_output=True,
            timeout=PATIENCE_S,
        )
        assert not REPORT.search(done.stderr), done.stderr
        return done

    def start(self, ready=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--listen", "127.0.0.1:0", *self.flags],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        self.port = wait_for(self._find_port, "the server listens")
        if ready:
            self.wait_ready()
        return self

    def _find_port(self):
        if self.process.poll() is not None:
            raise AssertionError(f"docle serve ended: {self.log_text()[-4000:]}")
        with contextlib.suppress(OSError):
            return listening_port(self.process.pid)
        # Without root nobody looks into a server that has confined itself; what it said is left.
        said = re.search(r"^Serving on http://\S+:(\d+)$", self.log_text(), re.M)
        return int(said[1]) if said else None

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"docle serve ended: {self.log_text()[-4000:]}")
            with contextlib.suppress(requests.RequestException):
                return requests.get(self.url("/readyz"), timeout=PATIENCE_S).status_code == 200
            return False

        wait_for(ready, "the server is ready")

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def pid(self):
        return self.process.pid

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def create_key(self, project="default", *options):
        return json.loads(self.docle("keys", "create", "--project", project, "--json", *options).stdout)

    def revoke_key(self, key_id):
        self.docle("keys", "revoke", key_id)

    def database(self):
        return sqlite3.connect(f"file:{self.folder}/docle.db?mode=ro", uri=True, timeout=PATIENCE_S)

    def query(self, sql, *values):
        with contextlib.closing(self.database()) as database:
            return database.execute(sql, values).fetchall()

    def metrics(self):
        text = requests.get(self.url("/metrics"), timeout=PATIENCE_S).text
        return {
            line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line and not line.startswith("#")
        }

    def connect(self, timeout=PATIENCE_S):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Ends the server, which must leave nothing behind; returns its exit code."""
        if not self.process:
            return None
        family = descendants(self.pid)
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        wait_for(
            lambda: not any(pid in family for pid in parents()), f"processes {family} end"
        )
        self.process = None
        if found := REPORT.search(self.log_text()):
            raise AssertionError(self.log_text()[found.start() :][:20000])
        return code

    def clean(self):
        """Ends the server without asking; one with sanitizers is asked, and tells of its leaks."""
        alive = self.process and self.process.poll() is None
        try:
            self.stop(signal.SIGKILL if alive and not SANITIZED else signal.SIGTERM)
        finally:
            self.remove()

    def remove(self):
        if self.owned:
            shutil.rmtree(self.data, ignore_errors=True)


def raw_exchange(server, data, timeout=PATIENCE_S, half_close=False):
    """Sends bytes as they are; returns all that comes until the server closes, or b"" on reset."""
    with server.connect(timeout) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return read_until_close(connection)


def read_until_close(connection):
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def count_answers(received):
    return received.count(b"HTTP/1.1 ")


def launchers(family):
    """The launcher itself; its nursery and inits are called the same."""
    table = parents()

    def is_launcher(pid):
        return os.path.basename(command_of(pid)[0]) == b"docle-launcher"

    return [pid for pid in family if is_launcher(pid) and not is_launcher(table.get(pid, 0))]


def control_groups(family):
    """The trees that a launcher among these processes has made, in every hierarchy."""
    names = {f"docle.{pid}" for pid in family}
    for folder, folders, _ in os.walk("/sys/fs/cgroup"):
        for name in [name for name in folders if name.startswith("docle.")]:
            folders.remove(name)
            if name in names:
                yield os.path.join(folder, name)


class Counts:
    """What a server holds of the machine: descriptors, processes, mounts, control groups."""

    def __init__(self, server):
        family = descendants(server.pid)
        self.values = {
            "processes": len(family),
            "mounts": len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
        }
        with contextlib.suppress(PermissionError):  # without root: confined processes are closed
            self.values["descriptors of the server"] = len(os.listdir(f"/proc/{server.pid}/fd"))
        for pid in launchers(family):
            with contextlib.suppress(OSError):
                self.values["descriptors of the launcher"] = len(os.listdir(f"/proc/{pid}/fd"))
        self.values["control groups"] = sum(
            len(list(os.walk(tree))) for tree in control_groups(family)
        )

    def excess(self, baseline):
        """What is more than in the baseline. Fewer is fine: connections close, spares run out."""
        return {
            name: (baseline.values.get(name), value)
            for name, value in self.values.items()
            if value > baseline.values.get(name, 0)
        }


def at_once(server, requests_to_send):
    """(status, body) of each: all are sent but for their last byte, and then the last bytes together, so that the server
    has them all before it has answered one."""
    raw = []
    for method, path, headers, body in requests_to_send:
        text = b"" if body is None else json.dumps(body).encode()
        fields = {"Host": f"127.0.0.1:{server.port}", "Connection": "close", "Content-Length": str(len(text)), **headers}
        if body is not None:
            fields["Content-Type"] = "application/json"
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        raw.append("\r\n".join(lines).encode() + text)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in raw]
        for connection, data in zip(connections, raw):
            connection.sendall(data[:-1])
        for connection, data in zip(connections, raw):
            connection.sendall(data[-1:])
        answers = [read_until_close(connection) for connection in connections]
    return [(int(answer.split(b" ", 2)[1]), json.loads(answer.split(b"\r\n\r\n", 1)[1])) for answer in answers]
