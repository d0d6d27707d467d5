"""Webhooks as a way into the server's own network: whatever a URL says, only public addresses are connected to."""

import pathlib
import socket
import subprocess
import threading

import pytest
import requests

from harness import PATIENCE_S, wait_for
from test_webhooks import Owner, receiver, run  # noqa: F401 (receiver is a fixture)

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = ("--webhooks-plain", "yes", "--auth-signup", "open", "--auth-links-per-client", "0")
REFUSED = "leads to an address that may not be reached"


class Trap:
    """Listens on a port of every local address and counts who connects."""

    def __init__(self):
        self.socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self.socket.getsockname()[1]
        self.caught = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                connection, address = self.socket.accept()
            except OSError:
                return
            self.caught.append(address)
            connection.close()


@pytest.fixture(scope="module")
def trap():
    made = Trap()
    with socket.create_connection(("127.0.0.1", made.port)), socket.create_connection(("::1", made.port)):
        wait_for(lambda: len(made.caught) == 2, "the trap works")
    made.caught.clear()
    yield made
    made.socket.close()


@pytest.fixture(scope="module")
def owner(contract):
    from harness import Server

    server = Server(*PLAIN)
    server.start()
    yield Owner(server, contract)
    server.clean()


def refused(owner):
    owner.ask("POST", "/test")
    last = wait_for(lambda: (found := owner.last()) and found["error"] and found, "it is refused")
    assert REFUSED in last["error"] and last["status"] is None, last
    owner.ask("DELETE")


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
    "100.64.0.1", "100.100.100.200", "224.0.0.1", "255.255.255.255", "localhost", "LOCALHOST",
])
def test_addresses_that_are_not_public(owner, trap, host):
    owner.set(f"http://{host}:{trap.port}/latest/meta-data/")
    refused(owner)
    assert trap.caught == []


@pytest.mark.parametrize("url", [
    "http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://0x7f.1/", "http://127.1/",
    "http://0177.0.0.1/", "http://1/", "http://0/", "http://00000177.1/", "http://127.0.0.01/",
    "http://user@example.com/", "http://user:word@127.0.0.1/", "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/", "http://example.com#@127.0.0.1/", "http://[::1", "http://[::1]x/",
    "http://[fe80::1%25lo]/", "http://[]/", "http:///x", "http://", "http://:80/", "http://example.com:0/",
    "http://example.com:65536/", "http://example.com:80x/", "http://example.com:/", "http://exa mple.com/",
    "http://example.com/\r\nX: y", "http://example.com/\u0000", "http://ex\u00e4mple.com/",
    "http://\uff11\uff12\uff17.0.0.1/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:25/x",
    "//example.com/", "example.com", "javascript:1", "HTTP://example.com/", "http://" + "a" * 64 + ".example/",
    "https://example.com/" + "x" * 2048, "", "http://example.com/|x", "dict://127.0.0.1:11211/",
])
def test_urls_that_are_none(owner, url):
    answer = owner.ask("PUT", body={"url": url}, status=400)
    assert answer["details"][0]["path"] == "url" or "\0" in url, answer
    assert owner.ask("GET") == {"webhook": None}


@pytest.mark.parametrize("body", [{"url": 1}, {"url": None}, {"url": ["https://example.com/"]}, {"URL": "https://example.com/"}])
def test_bodies_that_are_none(owner, body):
    owner.ask("PUT", body=body, status=400)
    assert owner.ask("GET") == {"webhook": None}


def test_http_needs_the_operator(own_server, contract):
    server = own_server("--auth-signup", "open")
    owner = Owner(server, contract)
    assert "https://" in owner.ask("PUT", body={"url": "http://example.com/"}, status=400)["message"]
    owner.set("https://example.com/")


def test_a_redirection_leads_nowhere(own_server, contract, receiver, trap):  # noqa: F811
    server = own_server(*PLAIN, "--webhooks-private", "127.0.0.2")
    owner, hook = Owner(server, contract), receiver(f"http://127.0.0.1:{trap.port}/", "http://[::1]:1/", host="127.0.0.2")
    owner.set(hook.url())
    owner.ask("POST", "/test")
    last = wait_for(lambda: (found := owner.last()) and found["error"] and found, "it is no success")
    assert (last["status"], last["error"]) == (307, "the receiver answered 307") and trap.caught == []


def test_exceptions_are_exact(own_server, contract, receiver, trap):  # noqa: F811
    """A listed address and port, and none beside it."""
    hook = receiver(host="127.0.0.2")
    server = own_server(*PLAIN, "--webhooks-private", f"127.0.0.2:{hook.server_port}")
    owner = Owner(server, contract)
    owner.set(f"http://127.0.0.2:{trap.port}/")
    refused(owner)
    owner.set(f"http://127.0.0.1:{hook.server_port}/")
    refused(owner)
    owner.set(hook.url())
    owner.ask("POST", "/test")
    wait_for(lambda: hook.requests, "the listed one is reached")
    assert trap.caught == []


@pytest.fixture
def resolver(tmp_path):
    """A server's environment in which names change their addresses."""
    shim = tmp_path / "shim.so"
    tmp_path.chmod(0o755)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, HERE / "dns_shim.c"], check=True)
    return lambda *addresses: {"LD_PRELOAD": str(shim), "DOCLE_TEST_DNS": ",".join(addresses)}


def test_a_name_that_leads_home(own_server, contract, trap, resolver):
    server = own_server(*PLAIN, env=resolver("127.0.0.1", "::1", "169.254.169.254"))
    owner = Owner(server, contract)
    for _ in range(3):
        owner.set(f"http://evil.shim.example:{trap.port}/")
        refused(owner)
    assert trap.caught == []


def test_rebinding(own_server, contract, receiver, resolver):  # noqa: F811
    """The name is good when it is looked up first and leads home a moment later: each connection is judged by itself."""
    hook = receiver(host="127.0.0.2")
    home = receiver(host="127.0.0.1", port=hook.server_port)
    server = own_server(*PLAIN, "--webhooks-private", "127.0.0.2", env=resolver("127.0.0.2", "127.0.0.1"))
    owner = Owner(server, contract)
    owner.set(f"http://evil.shim.example:{hook.server_port}/")
    owner.ask("POST", "/test")
    wait_for(lambda: owner.last()["state"] == "delivered", "the first one is delivered")
    second = owner.ask("POST", "/test")["event_id"]
    last = wait_for(lambda: (found := owner.last())["event_id"] == second and found["error"] and found, "it is refused")
    assert REFUSED in last["error"] and len(hook.requests) == 1 and home.requests == []


def test_connections_of_the_server_itself_are_not_borrowed(own_server, contract, receiver):  # noqa: F811
    """The operator's own requests may go to this machine, and their connections are kept; a webhook does not get one."""
    home = receiver()
    server = own_server(*PLAIN, "--billing", "cloudevents", "--billing-events-url", home.url("/events"),
                        "--billing-batch-seconds", "1", "--plans-free-runs", "1000")
    owner = Owner(server, contract)
    key = owner.key()["key"]
    assert run(server, key).status_code == 200
    wait_for(lambda: home.requests, "the operator's own request")
    owner.set(home.url("/stolen"))
    refused(owner)
    assert all(path == "/events" for path, _, _ in home.requests)


def test_the_proxy_is_not_used(own_server, contract, receiver, trap):  # noqa: F811
    """A proxy would resolve and connect for us, and nobody would judge where."""
    proxy = receiver(host="127.0.0.3")
    server = own_server(*PLAIN, "--outbound-proxy", proxy.url(""), "--webhooks-private", "127.0.0.3")
    owner = Owner(server, contract)
    owner.set(f"http://127.0.0.1:{trap.port}/")
    refused(owner)
    assert proxy.requests == [] and trap.caught == []
