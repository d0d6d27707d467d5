"""Speaks to docle-launcher as the API process does, without one: messages of src/proto/launch.h."""

import array
import contextlib
import fcntl
import os
import pathlib
import select
import socket
import struct
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("DOCLE_BUILD", "build")).resolve()
HEADER = struct.Struct("=BBHI")
RUN = struct.Struct("=QIIIIIIII")
ENDED = struct.Struct("=QIiIIQQQ120s")
HELLO, LAUNCH_RUN, CANCEL, STARTED, LAUNCH_ENDED, STATS, SHUTDOWN, FATAL = range(1, 9)
KINDS = ("exited", "signalled", "timeout", "cpu", "memory", "cancelled", "sandbox_error")
HITS = ("memory", "processes", "disk")
F_ADD_SEALS, ALL_SEALS = 1033, 0xF


class Ended:
    def __init__(self, body, out, err):
        _, kind, self.status, hits, _, self.cpu_ns, self.peak, self.wall_ns, text = ENDED.unpack(body)
        self.kind = KINDS[kind]
        self.hits = {name for bit, name in enumerate(HITS) if hits >> bit & 1}
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        self.text = text.split(b"\0")[0].decode()

    def __repr__(self):
        return f"{self.kind} {self.status} {self.hits} out={self.out[-300:]!r} err={self.err[-300:]!r} {self.text}"


def record(kind, data):
    return struct.pack("=II", kind, len(data)) + data


def job(name, code):
    path = name.encode()
    return b"".join([
        record(1, path), record(4, struct.pack("=H", len(path)) + path + code),
        *[record(3, pair) for pair in (b"HOME=/tmp", b"PATH=/usr/bin:/bin", b"LANG=C.UTF-8")],
        struct.pack("=II", 0, 0),
    ])


class Launcher:
    """A launcher of its own; use as a context manager."""

    def __init__(self, *options, without=()):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = os.path.realpath(pathlib.Path(os.environ["DOCLE_ROOT_DIR"]) / "current")
        command = [BUILD / "docle-launcher", "--root", root, "--link-fd", str(theirs.fileno()), "--slots", "3"]
        command += [f"--without={name}" for name in without]
        self.process = subprocess.Popen([*command, *options], pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL)
        theirs.close()
        self.link, self.count, self.waiting = ours, 0, []
        self.runtimes = {}
        hello = self.receive(HELLO)
        for i in range(hello[7]):
            name, version = (hello[at : at + 16].split(b"\0")[0].decode() for at in (8 + 40 * i, 24 + 40 * i))
            self.runtimes.setdefault(name, i)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
        self.process.wait(30)

    def receive(self, wanted, run=None):
        deadline = time.monotonic() + 60
        while True:
            for i, (kind, body) in enumerate(self.waiting):
                if kind == wanted and (run is None or struct.unpack_from("=Q", body)[0] == run):
                    return self.waiting.pop(i)[1]
            ready, _, _ = select.select([self.link], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError("the launcher is silent")
            packet = self.link.recv(65536)
            if not packet:
                raise AssertionError("the launcher has gone")
            kind = HEADER.unpack_from(packet)[1]
            if kind == FATAL:
                raise AssertionError(packet[HEADER.size + 8 :].split(b"\0")[0].decode())
            self.waiting.append((kind, packet[HEADER.size :]))

    def start(self, code, lang="python", timeout_ms=20000, memory_mb=256, disk_mb=None, processes=64):
        self.count += 1
        name = {"python": "main.py", "node": "main.js"}[lang]
        memfd = os.memfd_create("job", os.MFD_ALLOW_SEALING)
        os.write(memfd, job(name, code.encode()))
        fcntl.fcntl(memfd, F_ADD_SEALS, ALL_SEALS)
        null = os.open("/dev/null", os.O_RDWR)
        out, err = os.memfd_create("out"), os.memfd_create("err")
        body = RUN.pack(self.count, self.runtimes[lang], 0, timeout_ms, 0, memory_mb, disk_mb or memory_mb // 4,
                        processes, 100)
        fds = array.array("i", [memfd, null, out, err, null])
        header = HEADER.pack(1, LAUNCH_RUN, len(fds), len(body))
        self.link.sendmsg([header + body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        os.close(memfd)
        os.close(null)
        return self.count, out, err

    def finish(self, started):
        run, out, err = started
        body = self.receive(LAUNCH_ENDED, run)
        texts = [os.pread(fd, 1 << 20, 0) for fd in (out, err)]
        os.close(out)
        os.close(err)
        return Ended(body, *texts)

    def run(self, code, lang="python", **limits):
        return self.finish(self.start(code, lang, **limits))

    def host_is_clean(self):
        """The host check: nothing of a run is left in its control groups, and the next hello is fine."""
        for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/docle.{self.process.pid}/slot*/cgroup.procs"):
            deadline = time.monotonic() + 20
            with contextlib.suppress(OSError):
                while path.read_text().strip() and time.monotonic() < deadline:
                    time.sleep(0.05)
                assert not path.read_text().strip(), path
        assert self.run("print('hello')").out == "hello\n"
