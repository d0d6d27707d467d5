"""Limits of a run's network, its end, and the end of the relay."""

import os
import signal
import threading
import time

import pytest
import requests

from conftest import attempts
from harness import command_of, descendants, wait_for
from identity import IDENTITY


@pytest.fixture(scope="module")
def tight(make_client):
    return make_client("--network-connections", "5", "--network-attempts", "20", "--network-megabytes", "8",
                       "--network-idle-seconds", "2", "--project-running", "50")


def relays(client):
    return [pid for pid in descendants(client.server.pid) if b"docle-egress" in command_of(pid)[0]]


def test_connections_at_once(tight):
    """E-16"""
    code = """
import socket
held, refused = [], 0
for _ in range(8):
    one = socket.create_connection(("api.test", 5432))
    try:
        held.append((one, one.recv(6)))
    except ConnectionResetError:
        refused += 1
print(len(held), refused)
"""
    result = tight.run(code, ["api.test:5432"])
    assert result["stdout"] == "5 3\n", result
    assert sorted(attempts(result)) == [("api.test", 5432, "allowed")] * 5 + [("api.test", 5432, "limit")] * 3


def test_connections_in_all(tight):
    code = """
import socket
good = 0
for _ in range(30):
    with socket.create_connection(("api.test", 5432)) as one:
        try:
            good += one.recv(6) == b"hello\\n"
        except ConnectionResetError:
            pass
print(good)
"""
    result = tight.run(code, ["api.test:5432"])
    assert result["stdout"] == "20\n", result
    assert [verdict for _, _, verdict in attempts(result)].count("limit") == 10


@pytest.mark.parametrize("port, code", [
    (6000, "one.sendall(b'100000000\\n')\nwhile True:\n    got += len(one.recv(65536) or exit(got))"),
    (6001, "while True:\n    got += one.send(b'x' * 65536)"),
])
def test_bytes(tight, port, code):
    code = f"import socket\none = socket.create_connection(('api.test', {port}))\ngot = 0\ntry:\n" + "".join(
        f"    {line}\n" for line in code.split("\n")) + "except OSError as error:\n    print(type(error).__name__)"
    result = tight.run(code, [f"api.test:{port}"])
    assert result["stdout"] in ("ConnectionResetError\n", "BrokenPipeError\n"), result
    (entry,) = result["network"]
    assert entry["verdict"] == "limit" and entry["bytesIn"] + entry["bytesOut"] <= 8 << 20


def test_silence(tight):
    code = """
import socket
one = socket.create_connection(("api.test", 7000))
try:
    print(one.recv(1))
except ConnectionResetError:
    print("reset")
"""
    result = tight.run(code, ["api.test:7000"])
    assert result["stdout"] == "reset\n" and attempts(result) == [("api.test", 7000, "limit")]


def test_rate(make_client):
    client = make_client("--network-kilobytes-per-second", "2000")
    code = """
import socket, time
one = socket.create_connection(("api.test", 6000))
one.sendall(b"6000000\\n")
start, got = time.monotonic(), 0
while piece := one.recv(65536):
    got += len(piece)
print(got, time.monotonic() - start > 1)
"""
    assert client.run(code, ["api.test:6000"])["stdout"] == "6000000 True\n"


def test_end_of_the_run(client, world):
    """E-17: what is open is closed, the other side sees it, and it is in the log."""
    mark = world.mark()
    code = """
import os, socket
held = [socket.create_connection(("api.test", 7000)) for _ in range(3)]
for one in held:
    one.sendall(b"x")
os._exit(0)
"""
    result = client.run(code, ["api.test:7000"])
    assert attempts(result) == [("api.test", 7000, "allowed")] * 3
    wait_for(lambda: len([line for line in world.since(mark) if line.endswith(" 7000") and "tcp" not in line]) == 3,
             "the hosts see the ends")


def test_timeout_and_cancel(client):
    code = "import socket; socket.create_connection(('api.test', 7000)).recv(1)"
    result = client.run(code, ["api.test:7000"], timeout_ms=1000)
    assert result["outcome"] == "timeout" and attempts(result) == [("api.test", 7000, "allowed")]


def test_many_connections_and_runs(client):
    """A run that opens and drops a thousand connections does not disturb others."""
    code = """
import socket
for i in range(1000):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("198.18.1.0", 5432))
print("done")
"""
    good = "import socket; print(socket.create_connection(('api.test', 5432)).recv(6))"
    results = []
    thread = threading.Thread(target=lambda: results.append(client.run(code, ["api.test:5432"])))
    thread.start()
    for _ in range(10):
        assert client.run(good, ["api.test:5432"])["stdout"] == "b'hello\\n'\n"
    thread.join()
    assert results[0]["outcome"] == "ok" and len(results[0]["network"]) <= 256


def test_nothing_is_left(client):
    """Descriptors of the relay are back after runs of all kinds."""
    (relay,) = relays(client)
    code = "import socket; print([socket.create_connection(('api.test', 5432)).recv(6) for _ in range(5)])"
    client.run(code, ["api.test:5432"])
    before = len(os.listdir(f"/proc/{relay}/fd"))
    for _ in range(20):
        client.run(code, ["api.test:5432"])
    wait_for(lambda: len(os.listdir(f"/proc/{relay}/fd")) <= before, "descriptors are closed")


def test_relay_has_no_rights(client):
    (relay,) = relays(client)
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{relay}/status").read().splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and status["Groups"].strip() == ""
    ids = set(status["Uid"].split())
    assert len(ids) == 1
    if IDENTITY.prefix:  # the user's own; who never had a right cannot empty the bounding set
        return
    assert int(status["CapBnd"], 16) == 0 and int(ids.pop()) >= 1_000_000
    others = [pid for pid in descendants(client.server.pid) if pid != relay]
    mine = status["Uid"].split()[0]
    assert not any(f"Uid:\t{mine}\t" in open(f"/proc/{pid}/status").read() for pid in others)


def test_death_of_the_relay(make_client):
    """Runs in flight end as they will, and their results say what happened; the next ones have a relay."""
    client = make_client()
    code = """
import socket
one = socket.create_connection(("api.test", 5432))
print(one.recv(6), flush=True)
try:
    print(one.recv(6))
except ConnectionResetError:
    print("reset")
"""
    results = []
    thread = threading.Thread(target=lambda: results.append(client.run(code, ["api.test:5432"])))
    (relay,) = relays(client)
    quick = client.run("print(1)")
    assert "network" not in quick or quick["network"] == []
    thread.start()
    wait_for(lambda: len(os.listdir(f"/proc/{relay}/fd")) > 12, "the connection is there")
    time.sleep(0.3)
    os.kill(relay, signal.SIGKILL)
    thread.join()
    assert results[0]["outcome"] == "ok" and results[0]["stdout"].split("\n")[1] in ("reset", "b''"), results
    assert attempts(results[0]) == [("*", None, "relay_lost")]
    wait_for(lambda: [pid for pid in relays(client) if pid != relay], "another relay is there")

    def serves():
        result = client.run("import socket; print(socket.create_connection(('api.test', 5432)).recv(6))", ["api.test:5432"])
        return result["outcome"] == "ok" and attempts(result) == [("api.test", 5432, "allowed")]

    wait_for(serves, "runs have a network again")


def test_metrics(client):
    before = client.server.metrics()
    client.run("import socket; socket.create_connection(('api.test', 5432)).recv(6)", ["api.test:5432"])
    client.run("import socket\ntry: socket.gethostbyname('evil.test')\nexcept OSError: pass", ["api.test"])
    after = client.server.metrics()
    more = {name: value - before[name] for name, value in after.items() if name.startswith("docle_network_")}
    assert more['docle_network_attempts_total{verdict="allowed"}'] == 1
    assert more['docle_network_attempts_total{verdict="denied_host"}'] == 1
    assert more['docle_network_bytes_total{direction="in"}'] == 6
    assert (after["docle_relay_ready"], after["docle_network_runs"]) == (1, 0)


def test_switched_off(make_client):
    client = make_client("--network-enabled", "off", "--packages-enabled", "off")
    assert relays(client) == []
    refused = client.post({"lang": "python", "code": "1", "policy": {"allowNet": True, "allowedHosts": ["api.test"]}})
    assert refused.status_code == 400 and refused.json()["code"] == "not_enabled"
    assert client.post({"lang": "python", "code": "print(1)"}).json()["outcome"] == "ok"


def test_installs_have_a_relay_of_their_own_accord(make_client):
    client = make_client("--network-enabled", "off")
    assert len(relays(client)) == 1
    refused = client.post({"lang": "python", "code": "1", "policy": {"allowNet": True, "allowedHosts": ["api.test"]}})
    assert refused.status_code == 400 and refused.json()["code"] == "not_enabled"


def test_what_was_carried_is_metered(client):
    """What the results' lists say is what the ledger's sums grow by."""
    def metered():
        answer = requests.get(client.server.url("/api/usage"), timeout=60,
                              headers={"Authorization": "Bearer " + client.key})
        return answer.json()["egressBytes"]

    before = metered()
    code = "import urllib.request\nfor _ in range(3):\n    print(len(urllib.request.urlopen('http://api.test/').read()))"
    result = client.run(code, ["api.test"])
    assert result["ok"], result
    listed = sum(one["bytesIn"] + one["bytesOut"] for one in result["network"])
    assert listed > 0
    assert metered() == before + listed
    assert client.run("print(1)", ["api.test"])["ok"]  # nothing was asked for
    assert metered() == before + listed
