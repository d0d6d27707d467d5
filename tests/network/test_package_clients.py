"""httpx and axios as people install them: packages from layers, hosts through the relay."""

import pytest

from conftest import AXIOS, HTTPX

PYTHON = """
import asyncio, concurrent.futures, httpx, json, ssl
tls = ssl.create_default_context(cafile="ca.pem")
def said(answer):
    answer.raise_for_status()
    return answer.json()
"""

SYNC = """
with httpx.Client(verify=tls) as client:
    answers = [said(client.get(f"{scheme}://api.test/{i}")) for scheme in ("http", "https") for i in range(3)]
    answers.append(said(client.post("https://api.test/up", content=b"x" * 300000)))
print(json.dumps(answers))
"""

ASYNC = """
async def main():
    async with httpx.AsyncClient(verify=tls, timeout=60) as client:
        hosts = [f"{scheme}://{host}.test/" for scheme in ("http", "https") for host in ("api", "other")]
        answers = await asyncio.gather(*[client.get(f"{url}{i}") for url in hosts for i in range(5)])
    print(json.dumps([[said(one)["host"], said(one)["line"]] for one in answers]))
asyncio.run(main())
"""

THREADS = """
with httpx.Client(verify=tls, timeout=60) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
    ask = lambda i: said(client.get(f"http{'s' * (i % 2)}://api.test/{i}"))["line"]
    print(json.dumps(list(pool.map(ask, range(40)))))
"""

# What each kind of refusal looks like: an error of the network, which its users catch, and no answer.
REFUSED = """
def failure(url, **more):
    try:
        with httpx.Client(verify=tls, timeout=60) as client:
            return said(client.get(url, **more))
    except httpx.TransportError as error:
        return type(error).__name__
async def failure_async(url):
    try:
        async with httpx.AsyncClient(verify=tls, timeout=60) as client:
            return said(await client.get(url))
    except httpx.TransportError as error:
        return type(error).__name__
print(json.dumps([
    failure("http://evil.test/"), failure("https://evil.test/"), asyncio.run(failure_async("https://evil.test/")),
    failure("https://internal.test/"), failure("http://internal.test/"),
    failure("https://api.test/", extensions={"sni_hostname": "evil.test"}),
    failure("http://api.test/", headers={"Host": "evil.test"}),
    failure("http://api.test:6000/"), failure("http://45.45.45.2/"), failure("https://api.test/after")]))
"""

NODE = """
const axios = require("axios");
const https = require("https");
const ca = require("fs").readFileSync("ca.pem");
const client = axios.create({httpsAgent: new https.Agent({ca, keepAlive: true, maxSockets: 4}), timeout: 60000});
const failure = (...ask) => client.get(...ask).then((answer) => answer.data, (error) => error.code);
"""

AXIOS_ALLOWED = """
(async () => {
  const urls = ["http://api.test/", "https://api.test/", "http://other.test/", "https://other.test/"];
  const got = await Promise.all(urls.flatMap((url) => [...Array(5).keys()].map((i) => client.get(url + i))));
  const up = await client.post("https://api.test/up", Buffer.alloc(300000, "x"));
  console.log(JSON.stringify([got.map(({data}) => [data.host, data.line]), up.data]));
  client.defaults.httpsAgent.destroy();
})();
"""

AXIOS_REFUSED = """
(async () => {
  const wrong = new https.Agent({ca, servername: "evil.test"});
  console.log(JSON.stringify([
    await failure("http://evil.test/"), await failure("https://evil.test/"), await failure("https://internal.test/"),
    await failure("http://internal.test/"), await failure("https://api.test/", {httpsAgent: wrong}),
    await failure("http://api.test/", {headers: {Host: "evil.test"}}), await failure("http://45.45.45.2/"),
    await failure("https://api.test/after")]));
  client.defaults.httpsAgent.destroy();
})();
"""

VERDICTS = {
    ("evil.test", None, "denied_host"),
    ("internal.test", 443, "denied_address"),
    ("internal.test", 80, "denied_address"),
    ("api.test", 443, "sni_mismatch"),
    ("api.test", 80, "host_mismatch"),
    ("api.test", 443, "allowed"),
}
REACHED = [[f"{host}.test", f"GET /{i} HTTP/1.1"] for host in ("api", "other") for i in range(5)]


@pytest.fixture
def look_python(package_client):
    def look(code, *hosts):
        return package_client.look(PYTHON + code, hosts, packages=[HTTPX])

    return look


@pytest.fixture
def look_node(package_client):
    def look(code, *hosts):
        return package_client.look(NODE + code, hosts, lang="node", packages=[AXIOS])

    return look


def test_httpx(look_python):
    answers, tried = look_python(SYNC, "api.test")
    assert [one["line"] for one in answers] == [f"GET /{i} HTTP/1.1" for i in range(3)] * 2 + ["POST /up HTTP/1.1"]
    assert answers[-1]["body"] == 300000
    # One connection each, kept.
    assert sorted(tried) == [("api.test", 80, "allowed"), ("api.test", 443, "allowed")]


def test_httpx_async(look_python):
    answers, tried = look_python(ASYNC, "api.test", "other.test")
    assert answers == REACHED * 2
    assert set(tried) == {(host, port, "allowed") for host in ("api.test", "other.test") for port in (80, 443)}


def test_httpx_threads(look_python):
    lines, tried = look_python(THREADS, "api.test")
    assert lines == [f"GET /{i} HTTP/1.1" for i in range(40)]
    assert set(tried) == {("api.test", 80, "allowed"), ("api.test", 443, "allowed")}


def test_httpx_refused(package_client, look_python):
    mark = package_client.world.mark()
    (*failures, after), tried = look_python(REFUSED, "api.test", "internal.test")
    assert failures[:3] == ["ConnectError"] * 3, failures
    assert all(isinstance(one, str) and one.endswith("Error") for one in failures), failures
    assert after["line"] == "GET /after HTTP/1.1"
    assert set(tried) == VERDICTS
    assert not unreachable_reached(package_client.world.since(mark))


def test_axios(look_node):
    (answers, up), tried = look_node(AXIOS_ALLOWED, "api.test", "other.test")
    assert sorted(answers) == sorted(REACHED * 2) and up["body"] == 300000
    assert set(tried) == {(host, port, "allowed") for host in ("api.test", "other.test") for port in (80, 443)}


def test_axios_refused(package_client, look_node):
    mark = package_client.world.mark()
    (*failures, after), tried = look_node(AXIOS_REFUSED, "api.test", "internal.test")
    assert failures[:2] == ["ENOTFOUND"] * 2, failures
    assert all(isinstance(one, str) and one.startswith("E") for one in failures), failures
    assert after["line"] == "GET /after HTTP/1.1"
    assert set(tried) == VERDICTS
    assert not unreachable_reached(package_client.world.since(mark))


def unreachable_reached(lines):
    """Connections and questions of the log that no policy above lets out."""
    return [line for line in lines if "evil.test" in line or "45.45.45.2 " in line or "10.9.9.9" in line]
