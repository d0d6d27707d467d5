"""Programs that know nothing of a relay: the usual clients of Python and Node, threads and event loops."""

import pytest

URLLIB = """
import json, ssl, urllib.request
context = ssl.create_default_context(cafile="ca.pem")
plain = urllib.request.urlopen("http://api.test/a")
sealed = urllib.request.urlopen("https://api.test/b", data=b"x" * 100000, context=context)
print(json.dumps([json.load(plain), json.load(sealed)]))
"""

HTTP_CLIENT = """
import http.client, json
connection = http.client.HTTPConnection("api.test")
answers = []
for i in range(3):
    connection.request("GET", f"/{i}")
    answers.append(json.load(connection.getresponse())["line"])
print(json.dumps(answers))
"""

ASYNCIO = """
import asyncio, json, ssl
async def get(name, port, tls):
    reader, writer = await asyncio.open_connection(name, port, ssl=tls)
    writer.write(f"GET /{port} HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    writer.close()
    return head.split(b"\\r\\n")[0].decode()
async def main():
    tls = ssl.create_default_context(cafile="ca.pem")
    jobs = [get("api.test", 80, None) for _ in range(10)] + [get("other.test", 443, tls) for _ in range(10)]
    print(json.dumps(await asyncio.gather(*jobs)))
asyncio.run(main())
"""

THREADS = """
import concurrent.futures, json, urllib.request
def get(i):
    return json.load(urllib.request.urlopen(f"http://api.test/{i}"))["line"]
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(json.dumps(sorted(pool.map(get, range(64)))))
"""

# Like a database's client: the server speaks first.
TCP = """
import json, socket
with socket.create_connection(("api.test", 5432)) as connection:
    file = connection.makefile("rwb")
    greeting = file.readline().decode()
    file.write(b"select 1\\n")
    file.flush()
    answer = file.readline().decode()
    connection.shutdown(socket.SHUT_WR)
    rest = file.read().decode()
print(json.dumps([greeting, answer, rest]))
"""

FETCH = """
const {readFileSync} = require("fs");
const https = require("https");
function secure(path) {
  return new Promise((resolve, reject) => https.get({host: "api.test", path, ca: readFileSync("ca.pem")}, (answer) => {
    let text = "";
    answer.on("data", (piece) => text += piece).on("end", () => resolve(JSON.parse(text)));
  }).on("error", reject));
}
(async () => {
  const plain = await Promise.all([...Array(8).keys()].map((i) => fetch(`http://api.test/${i}`).then((a) => a.json())));
  const sealed = await secure("/s");
  console.log(JSON.stringify([plain.map((one) => one.line), sealed.line, sealed.host]));
})();
"""

NODE_NET = """
const net = require("net");
const dns = require("dns").promises;
(async () => {
  const found = await dns.lookup("api.test");
  const resolved = await dns.resolve4("api.test");
  const six = await dns.resolve6("api.test").catch((error) => error.code);
  const socket = net.connect(5432, "api.test");
  let text = "";
  socket.on("data", (piece) => { text += piece; if (text === "hello\\n") socket.end("bye\\n"); });
  socket.on("close", () => console.log(JSON.stringify([found.family, resolved[0] === found.address, six, text])));
})();
"""


def test_urllib(client):
    (plain, sealed), tried = client.look(URLLIB, ["api.test"])
    assert (plain["line"], plain["host"]) == ("GET /a HTTP/1.1", "api.test")
    assert (sealed["line"], sealed["body"]) == ("POST /b HTTP/1.1", 100000)
    assert sorted(tried) == [("api.test", 80, "allowed"), ("api.test", 443, "allowed")]


def test_kept_connections(client):
    lines, tried = client.look(HTTP_CLIENT, ["api.test"])
    assert lines == [f"GET /{i} HTTP/1.1" for i in range(3)] and tried == [("api.test", 80, "allowed")]


def test_asyncio(client):
    lines, tried = client.look(ASYNCIO, ["api.test", "other.test"])
    assert lines == ["HTTP/1.1 200 OK"] * 20
    assert sorted(tried) == [("api.test", 80, "allowed")] * 10 + [("other.test", 443, "allowed")] * 10


def test_threads(client):
    lines, tried = client.look(THREADS, ["api.test"])
    assert len(set(lines)) == 64 and tried == [("api.test", 80, "allowed")] * 64


def test_server_speaks_first(client):
    words, tried = client.look(TCP, ["api.test:5432"])
    assert words == ["hello\n", "select 1\n", ""] and tried == [("api.test", 5432, "allowed")]
    assert client.look(TCP, ["api.test"], ports=[5432, 443])[0] == words


def test_bytes_are_counted(client):
    result = client.run(TCP, ["api.test:5432"])
    assert [(one["bytesIn"], one["bytesOut"]) for one in result["network"]] == [(15, 9)]


def test_fetch(client):
    (lines, secure, host), tried = client.look(FETCH, ["api.test"], lang="node")
    assert sorted(lines) == [f"GET /{i} HTTP/1.1" for i in range(8)]
    assert (secure, host) == ("GET /s HTTP/1.1", "api.test")
    assert set(tried) == {("api.test", 80, "allowed"), ("api.test", 443, "allowed")}


def test_node_net(client):
    seen, tried = client.look(NODE_NET, ["api.test:5432"], lang="node")
    assert seen == [4, True, "ENODATA", "hello\nbye\n"] and tried == [("api.test", 5432, "allowed")]


@pytest.mark.parametrize("name", ["six.test", "both.test"])
def test_hosts_with_ipv6(client, name):
    code = f"import urllib.request; print(urllib.request.urlopen('http://{name}/').read().decode())"
    seen, tried = client.look(code, [name])
    assert seen["host"] == name and tried == [(name, 80, "allowed")]


def test_international_name(client):
    code = "import urllib.request; print(urllib.request.urlopen('http://xn--bcher-kva.test/').read().decode())"
    assert client.look(code, ["b\u00fccher.test"])[1] == [("xn--bcher-kva.test", 80, "allowed")]


def test_large_both_ways(client):
    code = """
import json, socket, threading
size = 64 << 20
def up():
    with socket.create_connection(("api.test", 6001)) as connection:
        for _ in range(size >> 20):
            connection.sendall(b"x" * (1 << 20))
        connection.shutdown(socket.SHUT_WR)
        sent.append(int(connection.makefile().readline()))
sent = []
thread = threading.Thread(target=up)
thread.start()
got = 0
with socket.create_connection(("api.test", 6000)) as connection:
    connection.sendall(f"{size}\\n".encode())
    while piece := connection.recv(1 << 20):
        got += len(piece)
thread.join()
print(json.dumps([got, sent]))
"""
    size = 64 << 20
    result = client.run(code, ["api.test:6000", "api.test:6001"])
    assert result["stdout"] == f"[{size}, [{size}]]\n", result
    counted = {one["port"]: (one["bytesIn"], one["bytesOut"]) for one in result["network"]}
    assert counted[6000] == (size, len(str(size)) + 1) and counted[6001] == (len(str(size)) + 1, size)


def test_slow_reader_gets_all(client):
    code = """
import socket, time
with socket.create_connection(("api.test", 6000)) as connection:
    connection.sendall(b"8000000\\n")
    time.sleep(1)
    got = 0
    while piece := connection.recv(65536):
        got += len(piece)
print(got)
"""
    assert client.run(code, ["api.test:6000"])["stdout"] == "8000000\n"


def test_result_is_kept(client):
    import requests
    result = client.run(URLLIB, ["api.test"])
    kept = requests.get(client.server.url(f"/api/run/{result['id']}"), timeout=60,
                        headers={"Authorization": f"Bearer {client.key}"}).json()
    assert kept == result and kept["network"]
