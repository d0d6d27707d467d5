"""A world without an uplink: the test process and the server under test in one network namespace, all
hosts in another one, and a wire between them. Every address is reachable from the first, private and
link-local ones too, so that only the product's own rules keep a run from them."""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
PATIENCE_S = 60

OWN = "45.45.0.1"  # of this side; looks public
GATE, GATE6 = "45.45.0.2", "2606:4700:ff::2"
RESOLVER = "45.45.45.53"
API, API6, OTHER = "45.45.45.1", "2606:4545::1", "45.45.45.2"

# Addresses that no run may reach, by what they are.
FORBIDDEN = {
    "loopback": "127.0.0.1",
    "loopback-other": "127.9.9.9",
    "link": "169.254.169.254",
    "private-10": "10.9.9.9",
    "private-172": "172.16.9.9",
    "private-192": "192.168.9.9",
    "private-100": "100.64.9.9",
    "metadata-azure": "168.63.129.16",
    "metadata-alibaba": "100.100.100.200",
    "this-network": "0.0.0.0",
    "benchmark": "198.18.0.1",
    "documentation": "203.0.113.9",
    "reserved": "240.0.0.9",
    "multicast": "224.0.0.9",
    "broadcast": "255.255.255.255",
    "own": OWN,
    "loopback-v6": "::1",
    "unspecified-v6": "::",
    "link-v6": "fe80::9",
    "private-v6": "fd00::9",
    "metadata-v6": "fd00:ec2::254",
    "mapped": "::ffff:10.9.9.9",
    "mapped-loopback": "::ffff:127.0.0.1",
    "compatible": "::10.9.9.9",
    "nat64": "64:ff9b::10.9.9.9",
    "sixtofour": "2002:a09:909::1",
    "teredo": "2001:0:a09:909::1",
    "multicast-v6": "ff02::9",
    "documentation-v6": "2001:db8::9",
}

ZONE = {
    "api.test": [API],
    "six.test": [API6],
    "both.test": [API6, API],
    "other.test": [OTHER],
    "a.wild.test": [API],
    "a.b.wild.test": [API],
    "wild.test": [API],
    "awild.test": [OTHER],
    "evil.test": [OTHER],
    "dead.test": ["45.45.46.1"],  # routed, but nobody there
    "mixed.test": [API, "10.9.9.9"],
    "rebind.test": [[API], ["10.9.9.9"]],
    "rebind-late.test": [["10.9.9.9"], [API]],
    "alias.test": {"cname": "bad-loopback.test"},
    "internal.test": ["10.9.9.9"],
    "xn--bcher-kva.test": [API],
    "many.test": [f"45.45.45.{i}" for i in range(100, 117)],
    **{f"bad-{kind}.test": [address] for kind, address in FORBIDDEN.items()},
}


def run(*command, **more):
    return subprocess.run(command, check=True, **more)


def ip(*words, netns=None):
    run(*(["nsenter", "-t", str(netns), "-n"] if netns else []), "ip", *words)


def enter_own_namespace():
    """Moves this process: every test below has only the loopback and the wire."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    ip("link", "set", "lo", "up")


def make_certificate(folder):
    names = ",".join(f"DNS:{name}" for name in ZONE)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={names}",
        "-keyout", folder / "key.pem", "-out", folder / "cert.pem", stderr=subprocess.DEVNULL)
    return (folder / "cert.pem").read_text()


class World:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="docle-world-"))
        self.ca = make_certificate(self.folder)
        (self.folder / "zone.json").write_text(json.dumps(ZONE))
        (self.folder / "log").touch()
        self.hosts = subprocess.Popen(["unshare", "-n", "sh", "-c", 'read go; exec "$0" "$@"', sys.executable,
                                       HERE / "hosts.py", self.folder], stdin=subprocess.PIPE)
        own = os.readlink("/proc/self/ns/net")
        self._wait(lambda: self._namespace() not in (None, own), "the other namespace is there")
        self._wire()
        self.hosts.stdin.close()
        self._wait((self.folder / "ready").exists, "the hosts are there")

    def _namespace(self):
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{self.hosts.pid}/ns/net")
        return None

    def _wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.hosts.poll() is None and time.monotonic() < deadline, f"not in time: {what}"
            time.sleep(0.01)

    def _wire(self):
        there = self.hosts.pid
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(there))
        ip("addr", "add", f"{OWN}/24", "dev", "near")
        ip("-6", "addr", "add", "2606:4700:ff::1/64", "dev", "near", "nodad")
        ip("link", "set", "near", "up")
        ip("link", "set", "lo", "up", netns=there)
        ip("addr", "add", f"{GATE}/24", "dev", "far", netns=there)
        ip("-6", "addr", "add", f"{GATE6}/64", "dev", "far", "nodad", netns=there)
        ip("link", "set", "far", "up", netns=there)
        for address in [RESOLVER, API, OTHER, "10.9.9.9", "172.16.9.9", "192.168.9.9", "100.64.9.9",
                        "169.254.169.254", "168.63.129.16", "100.100.100.200", "198.18.0.1", "203.0.113.9"]:
            ip("addr", "add", f"{address}/32", "dev", "lo", netns=there)
        for address in [API6, "fd00::9", "fd00:ec2::254", "64:ff9b::a09:909", "2002:a09:909::1",
                        "2001:0:a09:909::1", "2001:db8::9"]:
            ip("-6", "addr", "add", f"{address}/128", "dev", "lo", "nodad", netns=there)
        ip("route", "add", "default", "via", GATE)
        ip("-6", "route", "add", "default", "via", GATE6)
        ip("route", "add", "blackhole", "45.45.46.1", netns=there)

    def mark(self):
        """Where the log is now; see `since`."""
        return (self.folder / "log").stat().st_size

    def since(self, mark):
        with open(self.folder / "log", encoding="utf-8") as log:
            log.seek(mark)
            return log.read().splitlines()

    def wait_for_line(self, mark, line):
        self._wait(lambda: line in self.since(mark), f"'{line}' is in the log")

    def close(self):
        self.hosts.kill()
        self.hosts.wait()
        shutil.rmtree(self.folder)
