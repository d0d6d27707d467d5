"""Allowed names that lead to where no run may go (attack catalogue, S): refused before a packet leaves, and
said. In a build with test hooks the same names are reached once the defence is off, so the tests could fail."""

import json

import pytest

from conftest import attempts
from harness import BUILD
from world import API, FORBIDDEN, OWN

GET = """
import json, urllib.request
try:
    print(json.dumps(json.load(urllib.request.urlopen("http://%s/", timeout=30))["host"]))
except OSError as error:
    print(json.dumps(type(getattr(error, "reason", error)).__name__))
"""

# With a host of the test's behind them, where the wire leads when nothing refuses.
REACHABLE = ["link", "private-10", "private-172", "private-192", "private-100", "metadata-azure", "metadata-alibaba",
             "documentation", "private-v6", "metadata-v6", "sixtofour", "teredo", "documentation-v6"]


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_refused(client, world, kind):
    mark = world.mark()
    word, tried = client.look(GET % f"bad-{kind}.test", [f"bad-{kind}.test"])
    assert word == "ConnectionResetError" and tried == [(f"bad-{kind}.test", 80, "denied_address")]
    assert not any(line.startswith("tcp") for line in world.since(mark))


def test_refused_in_node(client):
    code = "fetch('http://bad-link.test/').catch((error) => console.log(JSON.stringify(error.cause.code)))"
    word, tried = client.look(code, ["bad-link.test"], lang="node")
    assert word in ("ECONNRESET", "UND_ERR_SOCKET") and tried == [("bad-link.test", 80, "denied_address")]


def test_chain_of_names(client):
    """S-11: judged by where it ends."""
    assert client.look(GET % "alias.test", ["alias.test"])[1] == [("alias.test", 80, "denied_address")]


def test_one_bad_address_spoils_the_name(client, world):
    mark = world.mark()
    assert client.look(GET % "mixed.test", ["mixed.test"])[1] == [("mixed.test", 80, "denied_address")]
    assert not any(line.startswith("tcp") for line in world.since(mark))


def test_too_many_addresses_to_look_at(client):
    word, tried = client.look(GET % "many.test", ["many.test"])
    assert word == "gaierror" and tried == [("many.test", None, "resolve_failed")]


def test_rebinding(client, world):
    """A name that was public a moment ago: what was looked at is what is connected to."""
    mark = world.mark()
    code = "import time\n" + GET % "rebind.test" * 1 + "".join(
        f"time.sleep({pause})\n" + GET % "rebind.test" for pause in (0, 0.1, 0.5))
    result = client.run(code, ["rebind.test"])
    assert set(attempts(result)) <= {("rebind.test", 80, "allowed"), ("rebind.test", 80, "denied_address")}
    assert {line for line in world.since(mark) if line.startswith("tcp")} == {f"tcp {API} 80"}


def test_rebinding_the_other_way(client, world):
    mark = world.mark()
    assert client.look(GET % "rebind-late.test", ["rebind-late.test"])[1] == [("rebind-late.test", 80, "denied_address")]
    assert not any(line.startswith("tcp") for line in world.since(mark))


def test_the_servers_own_port(client, world):
    """S-14: the product's own address, by a name that is allowed."""
    word, tried = client.look(GET % f"bad-own.test:{client.server.port}", [f"bad-own.test:{client.server.port}"])
    assert word == "ConnectionResetError" and tried == [("bad-own.test", client.server.port, "denied_address")]


@pytest.fixture(scope="module")
def lenient(make_client):
    return make_client("--network-private", f"internal.test:5432,192.168.0.0/16,10.9.9.9:80,{OWN}:7777",
                       "--network-allow-any", "yes", "--network-default-hosts", "api.test,internal.test:5432",
                       "--network-blocked-ports", "")


def hello(client, name, port, hosts):
    code = f"import json, socket; print(json.dumps(socket.create_connection(('{name}', {port}), 30).recv(6).decode()))"
    result = client.run(code, hosts)
    return result["outcome"], attempts(result)


def test_exceptions(lenient):
    assert hello(lenient, "internal.test", 5432, ["internal.test:5432"]) == ("ok", [("internal.test", 5432, "allowed")])
    assert hello(lenient, "internal.test", 22, ["internal.test:22"])[1] == [("internal.test", 22, "denied_address")]
    assert hello(lenient, "bad-private-192.test", 22, ["bad-private-192.test:22"])[0] == "ok"
    assert lenient.look(GET % "bad-private-10.test", ["bad-private-10.test"])[0] == "bad-private-10.test"
    assert hello(lenient, "bad-private-10.test", 5432, ["bad-private-10.test:5432"])[1][0][2] == "denied_address"


def test_addresses_that_the_operator_lists(lenient):
    """As text in allowedHosts, and then without a name to look up."""
    word, tried = lenient.look(GET % "10.9.9.9", ["10.9.9.9:80"])
    assert word == "10.9.9.9" and tried == [("10.9.9.9", 80, "allowed")]
    assert hello(lenient, "192.168.9.9", 5432, ["192.168.9.9:5432"]) == ("ok", [("192.168.9.9", 5432, "allowed")])
    refused = lenient.post({"lang": "python", "code": "1", "policy": {"allowNet": True, "allowedHosts": ["172.16.9.9"]}})
    assert refused.status_code == 400


def test_any_host_is_any_public_host(lenient, world):
    mark = world.mark()
    assert hello(lenient, "other.test", 5432, ["*:5432"]) == ("ok", [("other.test", 5432, "allowed")])
    assert hello(lenient, "bad-link.test", 5432, ["*:5432"])[1] == [("bad-link.test", 5432, "denied_address")]
    # Nor the exceptions: whoever writes the name's zone would choose among them.
    assert hello(lenient, "bad-private-192.test", 5432, ["*:5432"])[1][0][2] == "denied_address"
    assert hello(lenient, "bad-private-192.test", 5432, ["*:5432", "*.bad-private-192.test:5432"])[0] == "ok"
    assert "tcp 169.254.169.254 5432" not in world.since(mark)


def test_default_hosts(lenient):
    body = {"lang": "python", "code": GET % "api.test", "policy": {"allowNet": True}}
    result = lenient.post(body).json()
    assert json.loads(result["stdout"]) == "api.test" and attempts(result) == [("api.test", 80, "allowed")], result


@pytest.fixture(scope="module")
def defenceless(make_client):
    """Addresses are not looked at."""
    with open(BUILD / "docle-egress", "rb") as program:
        if b"without\0" not in program.read():
            pytest.skip("needs a build with -Dtest_hooks=true")
    return make_client(env={"DOCLE_TEST_WITHOUT": "egress-addresses,egress-names"})


@pytest.mark.parametrize("kind", REACHABLE)
def test_reached_without_the_defence(defenceless, kind):
    name = f"bad-{kind}.test"
    assert defenceless.look(GET % name, [name]) == (name, [(name, 80, "allowed")])


def test_other_host_reached_without_the_defence(defenceless):
    code = """
import json, socket
one = socket.create_connection(("api.test", 80))
one.sendall(b"GET / HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n")
print(json.dumps(one.recv(12).decode()))
"""
    assert defenceless.look(code, ["api.test"]) == ("HTTP/1.1 200", [("api.test", 80, "allowed")])


