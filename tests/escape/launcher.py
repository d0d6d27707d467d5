"""Speaks to docle-launcher as the API process does: the messages of src/proto/launch.h and the jobs
of src/proto/job.h, without server, HTTP or output limits in between."""

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

# How many times slower than a real machine this one is.
SLOWNESS = int(os.environ.get("DOCLE_TEST_SLOWNESS", "1"))
PATIENCE_S = 60 * SLOWNESS

HEADER = struct.Struct("=BBHI")  # struct link_header: version, type, descriptors, length
HELLO_HEAD = struct.Struct("=IBBBB")
HELLO_RUNTIME = struct.Struct("=16s16sB7x")
RUN = struct.Struct("=QIIIIIIII16s16s64s")
WARM = struct.Struct("=IIII16s16s")
ENDED = struct.Struct("=QIiIIQQQ120s")

(LAUNCH_HELLO, LAUNCH_RUN, LAUNCH_CANCEL, LAUNCH_STARTED, LAUNCH_ENDED, LAUNCH_STATS,
 LAUNCH_SHUTDOWN, LAUNCH_FATAL, LAUNCH_WARM) = range(1, 10)
END_KINDS = ("exited", "signalled", "timeout", "cpu", "memory", "cancelled", "sandbox_error")
HITS = ("memory", "processes", "disk")
JOB_END, JOB_ENTRYPOINT, JOB_ARG, JOB_ENV, JOB_FILE, JOB_FLAGS = 0, 1, 2, 3, 4, 5
JOB_PACKAGES = 2
WARM_MAX = 8  # sets from here on are for spares
F_ADD_SEALS, ALL_SEALS = 1033, 0xF

ENTRYPOINTS = {"python": "main.py", "node": "main.js"}
ENVIRONMENT = (b"HOME=/workspace", b"PATH=/usr/bin:/bin", b"LANG=C.UTF-8")


class Ended:
    """How a run ended and what it wrote."""

    def __init__(self, body, out, err):
        (_, kind, self.status, hits, _, self.cpu_ns, self.peak_bytes, self.wall_ns,
         text) = ENDED.unpack(body)
        self.outcome = f"{END_KINDS[kind]} {self.status}"
        self.hits = {name for bit, name in enumerate(HITS) if hits >> bit & 1}
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")
        self.text = text.split(b"\0")[0].decode()

    def __repr__(self):
        return (f"<{self.outcome} hits={sorted(self.hits)} out={self.out[-400:]!r} "
                f"err={self.err[-400:]!r} {self.text}>")


def _record(kind, data):
    return struct.pack("=II", kind, len(data)) + data


def make_job(entrypoint, files, args=(), flags=0):
    """The sealed memfd of a run: files are {path: bytes}."""
    parts = [_record(JOB_ENTRYPOINT, entrypoint.encode()), _record(JOB_FLAGS, struct.pack("=I", flags))]
    parts += [_record(JOB_ARG, arg.encode()) for arg in args]
    for path, content in files.items():
        name = path.encode()
        parts.append(_record(JOB_FILE, struct.pack("=H", len(name)) + name + content))
    parts += [_record(JOB_ENV, pair) for pair in ENVIRONMENT]
    parts.append(_record(JOB_END, b""))
    fd = os.memfd_create("job", os.MFD_ALLOW_SEALING)
    os.write(fd, b"".join(parts))
    fcntl.fcntl(fd, F_ADD_SEALS, ALL_SEALS)
    return fd


class Started:
    """A run in flight. Its output goes to memfds, so nobody has to read along."""

    def __init__(self, number):
        self.number = number
        self.out, self.err = os.memfd_create("out"), os.memfd_create("err")

    def take_output(self):
        texts = [os.pread(fd, 1 << 20, 0) for fd in (self.out, self.err)]
        os.close(self.out)
        os.close(self.err)
        return texts


class Launcher:
    """A launcher of one's own; a context manager. `root` is the folder with `current` in it."""

    _uid_bases = iter(range(1_200_000_000 + os.getpid() * 64, 1_800_000_000, 64))

    def __init__(self, program, root, without=(), slots=3, options=(), before=()):
        """before: words in front of the command, of a program that execs it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.slots, self.uid_base = slots, next(self._uid_bases)
        command = [*before, str(program), "--root", os.path.realpath(pathlib.Path(root) / "current"),
                   "--link-fd", str(theirs.fileno()), "--slots", str(slots),
                   "--uid-base", str(self.uid_base),
                   *[f"--without={name}" for name in without], *options]
        self._log = os.memfd_create("log")
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=self._log)
        self.pid = self._process.pid
        self.first_shape = None
        theirs.close()
        self._link, self._count, self._waiting = ours, 0, []
        self.runtimes = self._read_hello(self._receive(LAUNCH_HELLO))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._link.close()
        self._process.wait(PATIENCE_S)
        os.close(self._log)

    def log(self):
        return os.pread(self._log, 1 << 16, 0).decode(errors="replace")

    @staticmethod
    def _read_hello(body):
        """{language: index} of the first runtime of each kind."""
        count = HELLO_HEAD.unpack_from(body)[4]
        found = {}
        for i in range(count):
            at = HELLO_HEAD.size + i * HELLO_RUNTIME.size
            name = HELLO_RUNTIME.unpack_from(body, at)[0].split(b"\0")[0].decode()
            found.setdefault(name, i)
        return found

    def _receive(self, wanted, run=None):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for i, (kind, body) in enumerate(self._waiting):
                if kind == wanted and (run is None or struct.unpack_from("=Q", body)[0] == run):
                    return self._waiting.pop(i)[1]
            left = max(0, deadline - time.monotonic())
            if not select.select([self._link], [], [], left)[0]:
                raise AssertionError(f"the launcher is silent: {self.log()}")
            packet = self._link.recv(1 << 16)
            if not packet:
                raise AssertionError(f"the launcher has gone: {self.log()}")
            kind, body = HEADER.unpack_from(packet)[1], packet[HEADER.size:]
            if kind == LAUNCH_FATAL:
                raise AssertionError(body[8:].split(b"\0")[0].decode())
            if kind in (LAUNCH_STARTED, LAUNCH_ENDED, LAUNCH_HELLO):
                self._waiting.append((kind, body))

    def start(self, code, lang="python", files=None, stdin=None, timeout_ms=20000 * SLOWNESS, memory_mb=256,
              disk_mb=None, processes=64, cpus=100, layer=b"", owner=b""):
        """Begins a run; stdin is a descriptor, /dev/null when None. Limits and layer as in LAUNCH_RUN."""
        self._count += 1
        started = Started(self._count)
        entrypoint = ENTRYPOINTS[lang]
        job = make_job(entrypoint, {entrypoint: code.encode(), **(files or {})}, flags=JOB_PACKAGES if owner else 0)
        null = os.open("/dev/null", os.O_RDWR)
        body = RUN.pack(started.number, self.runtimes[lang], 0, timeout_ms, 0, memory_mb,
                        disk_mb or memory_mb // 4, processes, cpus, layer, owner, b"")
        fds = [job, null if stdin is None else stdin, started.out, started.err, null]
        packet = HEADER.pack(1, LAUNCH_RUN, len(fds), len(body)) + body
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
        self._link.sendmsg([packet], [rights])
        os.close(job)
        os.close(null)
        return started

    def warm(self, layer, names, number=0, lang="python"):
        """Asks for a zygote with packages."""
        fd = os.memfd_create("names")
        os.write(fd, names.encode())
        self._send_warm(fd, WARM.pack(number, self.runtimes[lang], 0, 0, layer, b""))

    def prepare(self, layer, names, owner, number=WARM_MAX, lang="python", disk_mb=64):
        """Asks for spares with packages."""
        fd = make_job(ENTRYPOINTS[lang], {}, names.split(), JOB_PACKAGES)
        self._send_warm(fd, WARM.pack(number, self.runtimes[lang], disk_mb, 0, layer, owner))

    def _send_warm(self, fd, body):
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
        self._link.sendmsg([HEADER.pack(1, LAUNCH_WARM, 1, len(body)) + body], [rights])
        os.close(fd)

    def await_start(self, started):
        """Until the user's code has been handed to the sealed process."""
        self._receive(LAUNCH_STARTED, started.number)

    def finish(self, started):
        body = self._receive(LAUNCH_ENDED, started.number)
        return Ended(body, *started.take_output())

    def run(self, code, lang="python", **limits):
        return self.finish(self.start(code, lang, **limits))

    # --- the host check -----------------------------------------------------------------------

    def _descendants(self):
        found = [self.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def zygotes(self):
        """{host pid: descriptors} of the fork servers."""
        found = {}
        for pid in self._descendants():
            with contextlib.suppress(OSError):
                if b"bootstrap" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    found[pid] = len(os.listdir(f"/proc/{pid}/fd"))
        return found

    def zygote_memory(self):
        """{host pid: (mappings, resident KB)} of the fork servers."""
        return {pid: (len(pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()),
                      int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4)
                for pid in self.zygotes()}

    def leaf_file(self, controller, name):
        """Text of a control file of slot 0, or None where this host has no such file."""
        top = pathlib.Path("/sys/fs/cgroup", controller)
        for path in top.glob(f"**/docle.{self.pid}/slot0/{name}"):
            return path.read_text().strip()
        return None

    def zygote_number(self, lang):
        """The process id of the language's zygote as it sees itself."""
        for pid in self.zygotes():
            if f"/{lang}".encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                return int(status.split("\nNSpid:\t")[1].split("\n")[0].split()[-1])
        raise AssertionError(f"no zygote of {lang}")

    def inits(self):
        """Host pids of the inits of the slots: alone in their kind of pid namespace."""
        zygotes = self.zygotes()
        own = {os.readlink(f"/proc/{pid}/ns/pid") for pid in [self.pid, *zygotes]}
        return [pid for pid in self._descendants() if os.readlink(f"/proc/{pid}/ns/pid") not in own]

    def set_last_pid(self, number):
        """The next process in the pid namespace of the only slot has the number after this one, unless its init
        is about to set the counter back."""
        (init,) = self.inits()
        subprocess.run(["nsenter", f"--pid=/proc/{init}/ns/pid", "sh", "-c",
                        f"echo {number} >/proc/sys/kernel/ns_last_pid"], check=True)

    def shape(self):
        """What must be as before once a run is gone: processes, zygotes, namespaces, descriptors."""
        pids = self._descendants()
        spaces = {}
        for pid in pids:
            for kind in ("mnt", "net", "pid", "user"):
                with contextlib.suppress(OSError):
                    spaces.setdefault(kind, set()).add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        found = {"processes": len(pids), "zygotes": self.zygotes(),
                 **{kind: len(names) for kind, names in spaces.items()}}
        with contextlib.suppress(PermissionError):  # not even its own user may look into it
            found["descriptors"] = len(os.listdir(f"/proc/{self.pid}/fd"))
        return found

    def steady_shape(self, wanted=None):
        """The shape once it stays as it is, and is the wanted one, or as it is at last."""
        deadline = time.monotonic() + PATIENCE_S
        last, same = None, 0
        while same < 3 or (wanted and last != wanted):
            now = self.shape()
            same = same + 1 if now == last else 0
            last = now
            if time.monotonic() > deadline:
                break
            time.sleep(0.005)
        return last

    def slot_processes(self):
        """Processes that have the id of a slot, by whatever namespace they hide in."""
        ids = range(self.uid_base + 1, self.uid_base + 1 + self.slots)
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                text = path.read_text()
                uid = int(text.split("\nUid:\t", 1)[1].split("\t", 1)[0])
                state = text.split("\nState:\t", 1)[1][0]
                if uid in ids and state != "Z":
                    found.append((path.parent.name, text.split("\n", 1)[0]))
        return found

    def _leaf_processes(self):
        found = []
        mine = f"docle.{self._process.pid}"
        for folder, _, _ in os.walk("/sys/fs/cgroup"):  # unlike glob, at ease with groups that vanish
            path = pathlib.Path(folder)
            if path.name.startswith("slot") and path.parent.name == mine:
                with contextlib.suppress(OSError):
                    found += (path / "cgroup.procs").read_text().split()
        return found

    def host_leftovers(self):
        """What is left of past runs once the launcher had time to clean up; nothing is right. Looks twice:
        what forks on may slip past one look."""
        deadline = time.monotonic() + PATIENCE_S
        clean = 0
        while clean < 2:
            left = [*self.slot_processes(), *self._leaf_processes()]
            clean = 0 if left else clean + 1
            if left and time.monotonic() > deadline:
                return left
            time.sleep(0.01)
        return []
