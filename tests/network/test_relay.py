"""docle-egress on its own, spoken to as the API process and a slot's init do: rules that are trusted, and
peers that do not keep to the protocol."""

import array
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading

import pytest

from harness import BUILD, PATIENCE_S, environment
from world import CLONE_NEWNET, RESOLVER, ip

HEADER = struct.Struct("=BBHI")  # version, type, descriptors, length
READY, FATAL, OPEN, RULE, CLOSE, ATTEMPT, CLOSED, SOCKETS = range(64, 72)
EXACT, BELOW, ANY, ADDRESS = range(4)
DNS_UDP, DNS_TCP, RELAY = range(3)
VERDICTS = ("allowed", "denied_host", "denied_port", "denied_address", "sni_mismatch", "host_mismatch",
            "resolve_failed", "connect_failed", "limit")


def send(link, kind, body=b"", fds=(), version=1):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    link.sendmsg([HEADER.pack(version, kind, len(fds), len(body)) + body], rights)


def open_body(session, rules=1, ports=(), connections=64):
    return struct.pack("=QQIIIIHH14H", session, 1 << 30, 0, connections, 1000, 60000, rules, len(ports), *ports,
                       *[0] * (14 - len(ports)))


def rule_body(session, kind, name, port=0, trusted=0):
    return struct.pack("=QBBH256s4x", session, kind, trusted, port, name.encode())


class Slot:
    """A network namespace like a run's."""

    def __init__(self):
        self.keeper = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.keeper.pid}/ns/net") == own:
            assert self.keeper.poll() is None
        there = self.keeper.pid
        ip("link", "set", "lo", "up", netns=there)
        for address in ("198.18.0.1/15", "10.9.9.9/32"):
            ip("addr", "add", address, "dev", "lo", netns=there)

    def inside(self, function, *arguments):
        """Calls it in the namespace, by a thread that enters it."""
        result = []

        def work():
            with open(f"/proc/{self.keeper.pid}/ns/net", "rb") as space:
                assert ctypes.CDLL(None).setns(space.fileno(), CLONE_NEWNET) == 0
            result.append(function(*arguments))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return result[0]

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


class Relay:
    def __init__(self):
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [BUILD / "docle-egress", "--link-fd", str(theirs.fileno()), "--resolvers", RESOLVER],
            pass_fds=[theirs.fileno()], env=environment(), stderr=subprocess.DEVNULL)
        theirs.close()
        self.seen = {}
        self.link.settimeout(PATIENCE_S)
        assert self.receive() == (READY, b"")

    def receive(self):
        packet = self.link.recv(4096)
        return (HEADER.unpack_from(packet)[1], packet[HEADER.size:]) if packet else (None, b"")

    def open(self, session, rules, slot, ports):
        """With listening sockets made in the slot."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        send(self.link, OPEN, open_body(session, len(rules), ports), [theirs.fileno()])
        for rule in rules:
            send(self.link, RULE, rule_body(session, *rule))
        sockets = [slot.inside(socket.create_server, ("0.0.0.0", port)) for port in ports]
        kinds = [number for port in ports for number in (RELAY, port)]
        send(ours, SOCKETS, struct.pack("=HH32H", len(ports), 0, *kinds, *[0] * (32 - len(kinds))),
             [one.fileno() for one in sockets])
        for one in (ours, theirs, *sockets):
            one.close()

    def close_session(self, session):
        send(self.link, CLOSE, struct.pack("=Q", session))
        while True:
            kind, body = self.receive()
            if kind == CLOSED:
                assert struct.unpack_from("=Q", body)[0] == session
                return self.seen.pop(session, [])
            assert kind == ATTEMPT
            whose, _, _, port, verdict, host = struct.unpack("=QQQHB5x256s", body)
            self.seen.setdefault(whose, []).append((host.split(b"\0")[0].decode(), port, VERDICTS[verdict]))

    def ends(self):
        with contextlib.suppress(ConnectionError):
            while self.receive()[0] is not None:
                pass
        return self.process.wait(PATIENCE_S)

    def stop(self):
        self.link.close()
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def relay(world):
    made = Relay()
    yield made
    if made.process.poll() is None:
        assert made.stop() == 0


@pytest.fixture
def slot():
    made = Slot()
    yield made
    made.close()


def greeting(address, port):
    try:
        with socket.create_connection((address, port), PATIENCE_S) as one:
            return one.recv(6)
    except ConnectionResetError:
        return "reset"


@pytest.mark.parametrize("trusted, word, verdict", [(1, b"hello\n", "allowed"), (0, "reset", "denied_address")])
def test_trusted_rules(relay, slot, trusted, word, verdict):
    """A private address is reached by a rule of our own making alone."""
    relay.open(1, [(ADDRESS, "10.9.9.9", 5432, trusted)], slot, [5432])
    assert slot.inside(greeting, "10.9.9.9", 5432) == word
    assert relay.close_session(1) == [("10.9.9.9", 5432, verdict)]


def test_trusted_localhost(relay, slot):
    """The run's own loopback address stands for this machine's where a rule says so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        relay.open(1, [(EXACT, "localhost", port, 1)], slot, [port])
        answer = threading.Thread(target=lambda: server.accept()[0].sendall(b"mine\n"))
        answer.start()
        assert slot.inside(greeting, "127.0.0.1", port) == b"mine\n"
        answer.join()
    assert relay.close_session(1) == [("localhost", port, "allowed")]


def test_sessions_are_apart(relay, slot):
    """What one session allows another one does not; ids are not shared."""
    other = Slot()
    relay.open(1, [(ADDRESS, "10.9.9.9", 5432, 1)], slot, [5432])
    relay.open(2, [(EXACT, "api.test", 5432, 0)], other, [5432])
    assert other.inside(greeting, "10.9.9.9", 5432) == "reset"
    assert slot.inside(greeting, "10.9.9.9", 5432) == b"hello\n"
    assert relay.close_session(2) == [("10.9.9.9", 5432, "denied_host")]
    assert relay.close_session(1) == [("10.9.9.9", 5432, "allowed")]
    other.close()


def test_ends_with_its_link(relay):
    assert relay.stop() == 0


def channel():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0].detach()


BAD = {
    "unknown": (99, b"", 0),
    "short": (OPEN, b"x", 1),
    "no channel": (OPEN, open_body(5), 0),
    "two channels": (OPEN, open_body(5), 2),
    "twice": (OPEN, open_body(1), 1),
    "too many rules": (OPEN, open_body(5, rules=65), 1),
    "no connections": (OPEN, open_body(5, connections=0), 1),
    "rule for nobody": (RULE, rule_body(9, EXACT, "api.test"), 0),
    "rule of no kind": (RULE, rule_body(1, 7, "api.test"), 0),
    "rule of no name": (RULE, rule_body(1, EXACT, "A b"), 0),
    "rule without end": (RULE, rule_body(1, EXACT, "a" * 256), 0),
    "close for nobody": (CLOSE, struct.pack("=Q", 9), 0),
    "its own words": (READY, b"", 0),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_messages(relay, kind):
    """Whatever is out of the protocol ends the relay rather than be guessed at."""
    send(relay.link, OPEN, open_body(1, rules=2), [channel()])
    send(relay.link, RULE, rule_body(1, EXACT, "api.test"))
    message, body, fds = BAD[kind]
    send(relay.link, message, body, [channel() for _ in range(fds)])
    assert relay.ends() == 1


@pytest.mark.parametrize("what", ["garbage", "wrong kind", "file", "count", "nothing"])
def test_bad_channels(relay, slot, what):
    """A channel that says nonsense costs its own session its network, and no other."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    send(relay.link, OPEN, open_body(1), [theirs.fileno()])
    send(relay.link, RULE, rule_body(1, ANY, ""))
    theirs.close()
    null = os.open("/dev/null", os.O_RDWR)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    body = struct.pack("=HH32H", 1, 0, RELAY, 80, *[0] * 30)
    {
        "garbage": lambda: ours.send(b"\1\2\3"),
        "wrong kind": lambda: send(ours, SOCKETS, body, [udp.fileno()]),
        "file": lambda: send(ours, SOCKETS, body, [null]),
        "count": lambda: send(ours, SOCKETS, body, [udp.fileno(), udp.fileno()]),
        "nothing": lambda: None,
    }[what]()
    ours.close()
    os.close(null)
    udp.close()
    relay.open(2, [(EXACT, "api.test", 5432, 0), (ADDRESS, "10.9.9.9", 5432, 1)], slot, [5432])
    assert slot.inside(greeting, "10.9.9.9", 5432) == b"hello\n"
    assert relay.close_session(1) == []
    assert relay.close_session(2) == [("10.9.9.9", 5432, "allowed")]


def test_rules_come_first(relay, slot):
    """Sockets that arrive before the rules wait for them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    send(relay.link, OPEN, open_body(1), [theirs.fileno()])
    listener = slot.inside(socket.create_server, ("0.0.0.0", 5432))
    send(ours, SOCKETS, struct.pack("=HH32H", 1, 0, RELAY, 5432, *[0] * 30), [listener.fileno()])
    waiting = slot.inside(socket.create_connection, ("10.9.9.9", 5432))
    send(relay.link, RULE, rule_body(1, ADDRESS, "10.9.9.9", 5432, 1))
    assert waiting.recv(6) == b"hello\n"
    for one in (ours, theirs, listener, waiting):
        one.close()


