"""What a key may do, from where and how often; and what attackers try about it."""

import time

import pytest
import requests

from harness import PATIENCE_S

BODY = {"code": "print(1)", "lang": "python"}
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy")


@pytest.fixture
def key_with(server, make_client):
    def make(*options):
        made = server.create_key("rules", *options)
        client = make_client(server, made["key"])
        client.id = made["id"]
        return client

    return make


def refused(answer, status, code):
    assert answer.status_code == status and answer.json()["code"] == code, answer.text
    return answer


def test_scopes(key_with):
    reader, runner = key_with("--scopes", "read"), key_with("--scopes", "run")
    assert reader.get("/api/runs").status_code == 200
    refused(reader.post("/api/run", BODY), 403, "scope_missing")
    run = runner.run("print(1)")
    refused(runner.get("/api/runs"), 403, "scope_missing")
    refused(runner.get(f"/api/run/{run['id']}"), 403, "scope_missing")
    refused(reader.post(f"/api/run/{run['id']}/cancel"), 403, "scope_missing")


def test_expired(server, key_with):
    client = key_with("--expires", "1h")
    assert client.get("/api/runs").status_code == 200
    short = key_with("--expires", "2s")
    deadline = time.monotonic() + PATIENCE_S
    while (answer := short.get("/api/runs")).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    refused(answer, 401, "expired_api_key")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.com"},
        {"Origin": "https://example.com.evil.com"},
        {"Origin": "https://notexample.com"},
        {"Origin": "https://www.example.com"},
        {"Origin": "https://example.com@evil.com"},
        {"Origin": "https://evil.com#example.com"},
        {"Origin": "https://evil.com/example.com"},
        {"Origin": "https://example.com/path"},
        {"Origin": "https://evil.com", "Referer": "https://example.com/"},
        {"Origin": "null"},
        {"Origin": "null", "Referer": "https://example.com/"},
        {"Origin": ""},
        {"Origin": "example.com"},
        {"Origin": "file://example.com"},
        {"Origin": "https://*.example.org"},
        {"Origin": "https://badexample.org"},
        {"Origin": "https://example.org.evil.com"},
        {"Origin": "https://example.com, https://evil.com"},
        {"Referer": "https://evil.com/?https://example.com"},
        {"X-Forwarded-Host": "example.com"},
    ],
    ids=lambda headers: " ".join(f"{k[0]}:{v}" for k, v in headers.items()) or "none",
)
def test_spoofed_origins(spoofed_client, headers):
    answer = spoofed_client.get("/api/runs", headers=headers)
    refused(answer, 403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.fixture(scope="module")
def spoofed_client(server, make_client):
    return make_client(server, server.create_key("rules", "--domains", "example.com,*.example.org")["key"])


@pytest.mark.parametrize(
    "origin",
    ["https://example.com", "http://example.com", "https://example.com:8443", "https://EXAMPLE.com",
     "https://example.org", "https://a.b.example.org"],
)
def test_allowed_origins(spoofed_client, origin):
    answer = spoofed_client.get("/api/runs", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "X-RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]


def test_a_referer_will_do(spoofed_client):
    answer = spoofed_client.get("/api/runs", headers={"Referer": "https://example.com/page?q#x"})
    assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer.headers


def test_no_cors_without_domains(api):
    answer = api.get("/api/runs", headers={"Origin": "https://example.com"})
    assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer.headers


def test_preflight(server, spoofed_client):
    def ask(origin, path="/api/run"):
        headers = {"Access-Control-Request-Method": "POST", **({"Origin": origin} if origin else {})}
        return requests.options(server.url(path), headers=headers, timeout=PATIENCE_S)

    good = ask("https://www.example.org")
    assert good.status_code == 204 and good.content == b""
    assert good.headers["Access-Control-Allow-Origin"] == "https://www.example.org"
    assert good.headers["Access-Control-Max-Age"] == "600" and good.headers["Vary"].startswith("Origin")
    assert "Authorization" in good.headers["Access-Control-Allow-Headers"]
    for origin in ("https://evil.com", "null", None, "https://example.org.evil.com"):
        assert "Access-Control-Allow-Origin" not in ask(origin).headers, origin
    assert ask("https://example.com", "/healthz").status_code == 405


def test_domains_of_revoked_keys_do_not_count(server):
    made = server.create_key("rules", "--domains", "only-here.test")

    def allowed():
        answer = requests.options(
            server.url("/api/run"), timeout=PATIENCE_S,
            headers={"Origin": "https://only-here.test", "Access-Control-Request-Method": "POST"})
        return "Access-Control-Allow-Origin" in answer.headers

    assert allowed()
    server.revoke_key(made["id"])
    assert not allowed()


def test_addresses(key_with):
    client = key_with("--ips", "192.0.2.0/24,2001:db8::/32")
    refused(client.get("/api/runs"), 403, "address_not_allowed")
    # Loopback is a trusted proxy by default, and is believed.
    for address in ("192.0.2.77", "2001:db8::5", "6.6.6.6, 192.0.2.1", "::ffff:192.0.2.1"):
        assert client.get("/api/runs", headers={"X-Forwarded-For": address}).status_code == 200, address
    for address in ("192.0.3.1", "192.0.2.1, 6.6.6.6", "2001:db9::1", "rubbish", "192.0.2.1 evil"):
        refused(client.get("/api/runs", headers={"X-Forwarded-For": address}), 403, "address_not_allowed")


def test_untrusted_peers_are_not_believed(own_server, make_client):
    server = own_server("--trusted-proxies", "203.0.113.1")
    client = make_client(server, server.create_key("rules", "--ips", "192.0.2.1")["key"])
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Client-Ip"):
        refused(client.get("/api/runs", headers={name: "192.0.2.1"}), 403, "address_not_allowed")
    local = make_client(server, server.create_key("rules", "--ips", "127.0.0.1")["key"])
    assert local.get("/api/runs", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200


def test_rate_of_a_key(key_with):
    client = key_with("--rate-limit", "3")
    for left in (2, 1, 0):
        answer = client.get("/api/runs")
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "3" and answer.headers["X-RateLimit-Remaining"] == str(left)
        assert answer.headers["RateLimit-Policy"] == '"key";q=3;w=60'
        assert answer.headers["RateLimit"].startswith(f'"key";r={left};t=')
        assert time.time() * 1000 < int(answer.headers["X-RateLimit-Reset"]) < (time.time() + 70) * 1000
    answer = refused(client.post("/api/run", BODY), 429, "rate_limited")
    body = answer.json()
    assert body["error"] == "Rate limit exceeded" and body["limit"] == 3 and body["remaining"] == 0
    assert str(body["reset_at"]) == answer.headers["X-RateLimit-Reset"]
    assert 0 < int(answer.headers["Retry-After"]) <= 61


def test_keys_of_the_command_line_have_no_rate(api):
    answer = api.get("/api/runs")
    assert not [name for name in RATE_HEADERS if name in answer.headers]


def test_no_rate_headers_before_the_key_is_accepted(server, make_client, key_with):
    client = key_with("--rate-limit", "3", "--scopes", "read")
    for answer in (make_client(server, "sk_live_" + "0" * 48).get("/api/runs"), client.post("/api/run", BODY)):
        assert answer.status_code in (401, 403)
        assert not [name for name in RATE_HEADERS if name in answer.headers]


def test_refused_requests_do_not_count(key_with):
    client = key_with("--rate-limit", "2", "--scopes", "read")
    for _ in range(5):
        refused(client.post("/api/run", BODY), 403, "scope_missing")
    assert client.get("/api/runs").headers["X-RateLimit-Remaining"] == "1"


def test_a_rate_may_change(server, key_with):
    client = key_with("--rate-limit", "1")
    assert client.get("/api/runs").status_code == 200
    refused(client.get("/api/runs"), 429, "rate_limited")
    server.docle("keys", "limit", client.id, "--rate-limit", "5")
    assert client.get("/api/runs").headers["X-RateLimit-Remaining"] == "3"
    server.docle("keys", "limit", client.id, "--rate-limit", "none")
    assert "X-RateLimit-Limit" not in client.get("/api/runs").headers


def test_rate_of_an_address(own_server, make_client):
    server = own_server("--rate-open-per-minute", "2")
    client = make_client(server)
    wrong = make_client(server, "sk_live_" + "0" * 48)
    good = make_client(server, server.create_key()["key"])
    there = {"X-Forwarded-For": "198.51.100.1"}
    assert client.get("/", headers=there).status_code == 200
    assert wrong.get("/api/runs", headers=there).status_code == 401
    refused(client.get("/", headers=there), 429, "rate_limited")
    refused(wrong.get("/api/runs", headers=there), 429, "rate_limited")
    assert good.get("/api/runs", headers=there).status_code == 200  # a good key has its own
    assert client.get("/healthz", headers=there).status_code == 200
    assert client.get("/", headers={"X-Forwarded-For": "198.51.100.2"}).status_code == 200
    for _ in range(5):
        assert client.get("/").status_code == 200  # this machine


def test_rate_of_an_end_user(own_server, make_client):
    server = own_server("--rate-user-per-minute", "2")
    client = make_client(server, server.create_key()["key"])
    assert not set(RATE_HEADERS) & set(client.post("/api/run", BODY).headers)  # neither has a limit
    for left in (1, 0):
        told = client.post("/api/run", {**BODY, "userContext": {"id": "greedy"}}).headers
        assert told["X-RateLimit-Limit"] == "2" and told["X-RateLimit-Remaining"] == str(left)
        assert told["RateLimit-Policy"] == '"user";q=2;w=60' and told["RateLimit"].startswith(f'"user";r={left};t=')
    answer = refused(client.post("/api/run", {**BODY, "userContext": {"id": "greedy"}}), 429, "rate_limited")
    assert answer.json()["limit"] == 2 and "Retry-After" in answer.headers
    assert str(answer.json()["reset_at"]) == answer.headers["X-RateLimit-Reset"]
    for limit, least in (("9", "2"), ("1", "1")):  # what has least left is told, and both
        both = make_client(server, server.create_key("both" + limit, "--rate-limit", limit)["key"])
        told = both.post("/api/run", {**BODY, "userContext": {"id": "both"}}).headers
        assert told["X-RateLimit-Limit"] == least
        assert told["RateLimit-Policy"] == f'"key";q={limit};w=60, "user";q=2;w=60'
    client.run("print(1)", userContext={"id": "modest"})
    client.run("print(1)")
    other = make_client(server, server.create_key("elsewhere")["key"])
    other.run("print(1)", userContext={"id": "greedy"})


def test_runs_at_once(key_with):
    import concurrent.futures

    client = key_with("--concurrency", "1")
    slow = {"code": "import time; time.sleep(2)", "lang": "python"}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.post("/api/run", slow), range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200 and statuses[-1] == 429, statuses
    assert {a.json()["code"] for a in answers if a.status_code == 429} == {"key_busy"}
    client.run("print(1)")  # its place is free again


def test_roll(server, make_client, key_with):
    import json

    client = key_with("--rate-limit", "100", "--scopes", "read")
    rolled = json.loads(server.docle("keys", "roll", client.id, "--overlap", "1h", "--json").stdout)
    fresh = make_client(server, rolled["key"])
    for one in (client, fresh):
        assert one.get("/api/runs").status_code == 200
        refused(one.post("/api/run", BODY), 403, "scope_missing")
    assert server.docle("keys", "roll", client.id, check=False).returncode == 1
    server.docle("keys", "roll", rolled["id"], "--overlap", "0")
    refused(fresh.get("/api/runs"), 401, "invalid_api_key")
    assert client.get("/api/runs").status_code == 200


def test_the_list_shows_rules_and_no_secret(server):
    import json

    made = server.create_key("listed", "--domains", "Example.COM", "--budget", "12.50", "--test", "--name", "x")
    assert made["key"].startswith("sk_test_")
    text = server.docle("keys", "list", "--project", "listed", "--json").stdout
    assert made["key"] not in text
    entry = json.loads(text)[0]
    assert entry["allowedDomains"] == ["example.com"] and entry["monthlyBudget"] == 12.5 and entry["test"] is True
    assert "from example.com" in server.docle("keys", "list", "--project", "listed").stdout


@pytest.mark.parametrize(
    "options",
    [("--domains", "*.com"), ("--domains", "https://a.com"), ("--ips", "1.2.3"), ("--rate-limit", "0"),
     ("--rate-limit", "10001"), ("--expires", "yesterday"), ("--expires", "2001-01-01T00:00:00Z"),
     ("--scopes", "admin"), ("--budget", "-1"), ("--budget", "0"), ("--budget-stops", "maybe")],
    ids=" ".join,
)
def test_wrong_options(server, options):
    done = server.docle("keys", "create", "--project", "rules", *options, check=False)
    assert done.returncode != 0 and done.stderr
