"""The wire: A-01, A-07, A-09, A-10, A-12. One request is one answer, or none."""

import contextlib
import json
import socket
import time

import pytest
import requests

from harness import count_answers, raw_exchange, read_until_close, wait_for

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


def status_of(received):
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.1 ") else None


def body(api, code="print(1)"):
    return json.dumps({"code": code, "lang": "python"}).encode()


def post_head(api, *headers):
    lines = [b"POST /api/run HTTP/1.1", b"Host: x", b"Authorization: Bearer " + api.key.encode(),
             b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "length",
    [b"-1", b"+5", b"0x10", b"18446744073709551616", b"99999999999999999999999", b"5, 6", b"5,5", b"1e3",
     b"", b" ", b"5 5", b"\xb2"],
)
def test_content_length_lies(api, length):
    """A-01"""
    received = raw_exchange(api.server, post_head(api, b"Content-Length: " + length) + b"{}" * 50)
    assert status_of(received) in (400, 413, None), received
    assert count_answers(received) <= 1


def test_two_content_lengths(api):
    received = raw_exchange(api.server, post_head(api, b"Content-Length: 2", b"Content-Length: 3") + b"{}x")
    assert status_of(received) == 400 and count_answers(received) == 1


def test_length_beyond_the_limit_is_refused_before_the_body(api):
    with api.server.connect() as connection:
        connection.sendall(post_head(api, b"Content-Length: 11000000"))
        received = read_until_close(connection)
    assert status_of(received) == 413 and b'"max_size":"10MB"' in received


def test_endless_chunks_are_refused(api):
    with api.server.connect() as connection:
        connection.sendall(post_head(api, b"Transfer-Encoding: chunked"))
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(piece)
        received = read_until_close(connection)
    assert status_of(received) in (413, None)


def test_chunked_body(api):
    text = body(api, "print('chunks')")
    chunks = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in text) + b"0\r\n\r\n"
    received = raw_exchange(api.server, post_head(api, b"Transfer-Encoding: chunked", b"Connection: close") + chunks)
    assert status_of(received) == 200 and b"chunks" in received


@pytest.mark.parametrize(
    "head",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer-Encoding:\tchunked\x0b"],
        [b"Transfer-Encoding : chunked"],
        [b"Content-Length : 5"],
        [b"Content-Length: 5", b" continued: x"],
        [b"X-A: b\r\n\tfolded"],
        [b"X-A: a\0b"],
        [b"X-A: a\rb"],
        [b"X A: b"],
        [b": novalue"],
        [b"X-A"],
        [b"Host: y"],
    ],
    ids=lambda head: head[0].decode("latin-1")[:40] if isinstance(head, list) else None,
)
def test_smuggling(api, head):
    """A-09: refused with one answer, and the connection ends."""
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    tail = b"5\r\nhello\r\n0\r\n\r\n" + inner + inner
    received = raw_exchange(api.server, post_head(api, *head) + tail)
    assert status_of(received) in (400, 501), received
    assert count_answers(received) == 1
    assert b'"status":"ok"' not in received


@pytest.mark.parametrize(
    "chunks",
    [b"5;ext=" + b"x" * 70000 + b"\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\nx", b"-1\r\nx", b"0x5\r\nhello\r\n0\r\n\r\n",
     b"5\nhello\n0\n\n", b"5 \r\nhello\r\n0\r\n\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloX0\r\n\r\n", b"g\r\n"],
    ids=["extension", "overflow", "negative", "hex", "lf", "space", "empty", "nocrlf", "letter"],
)
def test_bad_chunks(api, chunks):
    received = raw_exchange(api.server, post_head(api, b"Transfer-Encoding: chunked") + chunks, half_close=True)
    assert status_of(received) in (400, 413, 431, None), received
    assert count_answers(received) <= 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /healthz HTTP/1.1\nHost: x\n\n",
        b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/0.9\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.10\r\nHost: x\r\n\r\n",
        b"get /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /heal\x00thz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET http://x/healthz HTTP/1.1\r\nHost: y\r\nX: \x7f\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n" * 2000,
        b"\xff" * 3000,
    ],
)
def test_bad_request_lines(server, request_bytes):
    """A-12: defined, and never a success."""
    received = raw_exchange(server, request_bytes, half_close=True)
    assert status_of(received) in (400, 404, 405, 414, 431, 501, 505, None), received
    assert count_answers(received) <= 1


def test_long_urls_and_headers(server):
    """A-10"""
    answers = {
        "url": b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "header": GET + b"X-A: " + b"a" * (1 << 20) + b"\r\n\r\n",
        "headers": GET + b"".join(b"X-%d: a\r\n" % i for i in range(200)) + b"\r\n",
        "name": GET + b"a" * 70000 + b": x\r\n\r\n",
    }
    for name, data in answers.items():
        received = raw_exchange(server, data)
        assert status_of(received) in (400, 414, 431, None), (name, received[:200])
        assert count_answers(received) <= 1


@pytest.mark.parametrize(
    "path",
    ["/%00", "/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/api/%72un", "/api//run", "/api/run/", "/API/RUN",
     "/api/./run", "/healthz/../metrics", "/%", "/%zz", "/api/run;x=1", "/healthz%20", "/%e2%82%ac", "/docs", "/debug",
     "/metrics/", "/.git/config", "/api/keys", "/dashboard", "/login"],
)
def test_paths_are_taken_literally(api, path):
    """A-10: no decoding surprise leads to a route; what is not documented is not there."""
    received = raw_exchange(
        api.server, b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert status_of(received) in (400, 404, 405, 401), received[:300]
    assert b"root:" not in received and b"docle_runs" not in received


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("GET", "/api/run", {"POST"}), ("PUT", "/api/run", {"POST"}), ("DELETE", "/api/runs", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}), ("GET", "/api/run/x/cancel", {"POST"}), ("PATCH", "/", {"GET", "HEAD"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}), ("OPTIONS", "/api/run", {"POST"}), ("POST", "/api/run/x", {"GET", "HEAD"}),
    ],
)
def test_methods(api, method, path, allow):
    answer = api.request(method, path)
    assert answer.status_code == 405 and answer.json()["code"] == "method_not_allowed"
    assert {name.strip() for name in answer.headers["Allow"].split(",")} - {"OPTIONS"} == allow


def test_method_override_is_ignored(api):
    answer = api.request("GET", "/healthz", headers={"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 200


def test_head(server, contract):
    for path in ("/", "/healthz", "/readyz", "/openapi.json"):
        received = raw_exchange(server, b"HEAD " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, rest = received.partition(b"\r\n\r\n")
        assert status_of(received) == 200 and rest == b"" and b"ontent-" in head


def test_http_1_0(server):
    received = raw_exchange(server, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert status_of(received) == 200 or received.startswith(b"HTTP/1.0 200")


def test_upgrade_is_ignored(server):
    received = raw_exchange(
        server, GET + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
    )
    assert status_of(received) in (200, 400), received


def test_pipelining_keeps_order(api):
    paths = [b"/healthz", b"/nothing", b"/", b"/healthz"]
    data = b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths[:-1])
    data += b"GET " + paths[-1] + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = raw_exchange(api.server, data)
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200, 200]


def test_keep_alive_and_request_ids(api):
    with requests.Session() as session:
        ids = {session.get(api.server.url("/healthz")).headers["X-Request-Id"] for _ in range(20)}
    assert len(ids) == 20
    answer = api.get("/nothing")
    assert answer.json()["requestId"] == answer.headers["X-Request-Id"]


def test_expect_continue(api):
    text = body(api, "print('continued')")
    with api.server.connect() as connection:
        connection.sendall(post_head(
            api, b"Expect: 100-continue", b"Connection: close", b"Content-Length: %d" % len(text)
        ))
        first = connection.recv(4096)
        if b"100 Continue" in first:
            connection.sendall(text)
            assert b"continued" in read_until_close(connection)
        else:
            assert status_of(first) == 417


def test_slow_clients_do_not_hold_up_others(api):
    """A-07: a thousand connections that say nothing or half of something."""
    opened = []
    try:
        for i in range(1000):
            connection = api.server.connect()
            opened.append(connection)
            if i % 3 == 1:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            elif i % 3 == 2:
                connection.sendall(post_head(api, b"Content-Length: 100") + b"{")
        for _ in range(10):
            assert api.run("print('served')")["stdout"] == "served\n"
    finally:
        for connection in opened:
            connection.close()


def test_slow_header_is_closed(server):
    """A-07: a client that trickles its request is cut off by a deadline."""
    with server.connect(120) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        received = b""
        begun = time.monotonic()
        connection.settimeout(2)
        while time.monotonic() - begun < 120:
            try:
                connection.sendall(b"X-A: b\r\n")
                piece = connection.recv(4096)
                if not piece:
                    break
                received += piece
            except socket.timeout:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("still open")
    assert status_of(received) in (408, 431, None)


def test_a_client_that_does_not_read_its_answer(api):
    """A-07, slow read: what is bought with one request is bounded."""
    size = 4 << 20
    text = json.dumps({"code": f"print('x' * {size})", "lang": "python", "policy": {"maxOutputBytes": 8 << 20}}).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", api.server.port))
        connection.sendall(post_head(api, b"Content-Length: %d" % len(text)) + text)
        assert api.run("print('others')")["ok"]


def test_reset_in_the_middle(api):
    """Clients that vanish at each stage of a request."""
    text = post_head(api, b"Content-Length: %d" % len(body(api))) + body(api)
    for cut in range(0, len(text), 7):
        connection = api.server.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(text[:cut])
        connection.close()
    assert api.run("print(1)")["ok"]


def test_too_many_connections(own_server, make_client):
    server = own_server("--server-connections", "20")
    opened = [server.connect() for _ in range(40)]
    time.sleep(0.2)
    for connection in opened:
        connection.close()
    client = make_client(server)

    def serves():
        with contextlib.suppress(requests.ConnectionError):  # it may still see all forty
            return client.get("/healthz").status_code == 200
        return False

    wait_for(serves, "it serves again")


def check_raw(api, received, method="GET", path="/healthz"):
    """The contract's check for an answer that came over a bare socket; its status."""
    head, _, text = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    status = int(lines[0].split(" ")[1])
    api.contract.check(method, path, status, headers, text.decode())
    return status


@pytest.mark.parametrize(
    "data, status",
    [
        (b"GET /healthz HTTP/1.1\nHost: x\n\n\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (GET + b"X: " + b"a" * 20000 + b"\r\n\r\n", 431),
        (GET + b"".join(b"X-%d: a\r\n" % i for i in range(150)) + b"\r\n", 431),
        (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ],
    ids=["lines", "host", "encoding", "body", "url", "header", "headers", "version"],
)
def test_refusals_are_answers_too(api, data, status):
    """Refused before any route: still the documented shape, with an id and a next step."""
    assert check_raw(api, raw_exchange(api.server, data)) == status


def test_a_full_server_says_so(own_server, api):
    server = own_server("--server-connections", "4")
    opened = [server.connect() for _ in range(4)]
    try:
        def refused():
            received = raw_exchange(server, GET + b"\r\n")
            return received and check_raw(api, received) == 503

        wait_for(refused, "the next connection is told")
    finally:
        for connection in opened:
            connection.close()


def test_a_slow_request_is_told(api):
    """The deadline of a head ends in an answer, where there is still somebody to read it."""
    with api.server.connect(120) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        received = read_until_close(connection)
    assert received == b"" or check_raw(api, received) == 408
