"""Keys' rules, set and changed by people who have signed in."""

import pytest

from accounts import Browser
from harness import Server


@pytest.fixture(scope="module")
def people(contract):
    server = Server("--auth-signup", "open", "--auth-links-per-client", "0", "--auth-links-per-address", "0")
    server.start()
    yield server
    try:
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()


@pytest.fixture(scope="module")
def browser(people, contract):
    one = Browser(people, contract)
    one.sign_in("rules@example.com")
    return one


RULES = {
    "name": "site", "scopes": ["read"], "expiresAt": "2099-01-01T00:00:00Z", "allowedDomains": ["Example.com", "*.example.org"],
    "allowedIps": ["127.0.0.1", "192.0.2.0/24"], "rateLimitPerMinute": 7, "maxConcurrentRuns": 2, "monthlyBudget": 12.5,
    "budgetStops": True,
}


def key_of(browser, key_id):
    return next(key for key in browser.get("/api/keys").json()["keys"] if key["id"] == key_id)


def test_all_rules_at_creation(browser, people, make_client):
    made = browser.post("/api/keys", RULES).json()
    key = key_of(browser, made["id"])
    assert key["scopes"] == ["read"] and key["expires_at"] == "2099-01-01T00:00:00.000Z"
    assert key["allowed_domains"] == ["example.com", "*.example.org"]
    assert key["allowed_ips"] == ["127.0.0.1", "192.0.2.0/24"]
    assert key["rate_limit_per_minute"] == 7 and key["max_concurrent_runs"] == 2
    assert key["monthly_budget"] == 12.5 and key["budget_stops"] is True
    client = make_client(people, made["key"])
    assert client.get("/api/runs").status_code == 403
    assert client.get("/api/runs", headers={"Origin": "https://example.com"}).headers["X-RateLimit-Limit"] == "7"


def test_sixty_a_minute_unless_said(browser):
    made = browser.post("/api/keys", {}).json()
    assert key_of(browser, made["id"])["rate_limit_per_minute"] == 60
    made = browser.post("/api/keys", {"rateLimitPerMinute": None, "test": True}).json()
    assert made["key"].startswith("sk_test_")
    assert key_of(browser, made["id"])["rate_limit_per_minute"] is None


def test_change_and_take_away(browser):
    made = browser.post("/api/keys", RULES).json()
    path = f"/api/keys/{made['id']}"
    changed = browser.request("PATCH", path, json={"rateLimitPerMinute": 9, "allowedDomains": None})
    assert changed.status_code == 200
    key = changed.json()["apiKey"]
    assert key["rate_limit_per_minute"] == 9 and key["allowed_domains"] == []
    assert key["name"] == "site" and key["allowed_ips"] == ["127.0.0.1", "192.0.2.0/24"]
    assert key_of(browser, made["id"]) == key
    assert browser.request("PATCH", path, json={}).status_code == 400
    assert browser.request("DELETE", path).status_code == 200
    assert browser.request("PATCH", path, json={"name": "x"}).status_code == 409
    unknown = "/api/keys/0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"
    assert browser.request("PATCH", unknown, json={"name": "x"}).status_code == 404


@pytest.mark.parametrize(
    "field, value",
    [("name", 7), ("name", "a\nb"), ("name", "x" * 101), ("scopes", []), ("scopes", ["admin"]), ("scopes", "run"),
     ("expiresAt", "yesterday"), ("expiresAt", "2001-01-01T00:00:00Z"), ("allowedDomains", "example.com"),
     ("allowedDomains", ["*.com"]), ("allowedDomains", ["a.com", 7]), ("allowedDomains", [f"h{i}.example" for i in range(51)]),
     ("allowedIps", ["1.2.3"]), ("allowedIps", ["1.2.3.4, 5.6.7.8"]), ("rateLimitPerMinute", 0),
     ("rateLimitPerMinute", 10001), ("rateLimitPerMinute", 1.5), ("maxConcurrentRuns", -1), ("monthlyBudget", 0),
     ("monthlyBudget", -1), ("monthlyBudget", "a"), ("monthlyBudget", 1e300), ("budgetStops", "yes"), ("test", "no")],
)
def test_wrong_rules(browser, field, value):
    answer = browser.post("/api/keys", {field: value})
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"][0]["path"].startswith(field)


def test_roll(browser, people, make_client):
    made = browser.post("/api/keys", {"name": "old"}).json()
    rolled = browser.post(f"/api/keys/{made['id']}/roll", {"overlapHours": 1})
    assert rolled.status_code == 200 and rolled.json()["key"] != made["key"]
    for key in (made["key"], rolled.json()["key"]):
        assert make_client(people, key).get("/api/runs").status_code == 200
    assert key_of(browser, made["id"])["rolled_to"] == rolled.json()["id"]
    assert browser.post(f"/api/keys/{made['id']}/roll").status_code == 409
    assert browser.post(f"/api/keys/{rolled.json()['id']}/roll", {"overlapHours": 721}).status_code == 400
    last = browser.post(f"/api/keys/{rolled.json()['id']}/roll", {"overlapHours": 0}).json()
    assert make_client(people, rolled.json()["key"]).get("/api/runs").status_code == 401
    assert make_client(people, last["key"]).get("/api/runs").status_code == 200


def test_usage_by_session(browser):
    assert browser.post("/api/run", {"code": "print(1)", "lang": "python"}).status_code == 200
    usage = browser.get("/api/usage").json()
    assert usage["runs"] >= 1 and usage["byKey"] == []


def test_changes_are_audited(people, browser):
    made = browser.post("/api/keys", {}).json()
    browser.request("PATCH", f"/api/keys/{made['id']}", json={"name": "x"})
    browser.post(f"/api/keys/{made['id']}/roll")
    done = people.query("SELECT action FROM audit WHERE target = ? ORDER BY id", made["id"])
    assert [row[0] for row in done] == ["key.change", "key.roll"]


def test_usage_of_a_project(people, contract):
    one = Browser(people, contract)
    project = one.sign_in("used@example.com")["project"]["id"]
    empty = one.get(f"/api/projects/{project}/usage").json()
    assert empty == {"total_runs": 0, "python_runs": 0, "nodejs_runs": 0, "success_rate": 0.0, "history": []}
    long = "# " + "ä" * 600
    for body in (
        {"code": "print(1)", "lang": "python"},
        {"code": "process.exit(3)", "lang": "node"},
        {"files": [{"path": "a.py", "content": "x = 1"}, {"path": "main.py", "content": long}], "lang": "python"},
    ):
        assert one.post("/api/run", body).status_code == 200
    usage = one.get(f"/api/projects/{project}/usage").json()
    assert (usage["total_runs"], usage["python_runs"], usage["nodejs_runs"]) == (3, 2, 1)
    assert usage["success_rate"] == 66.7
    newest, middle, oldest = usage["history"]
    assert newest["code_snippet"] == long[:500] + "..." and newest["status"] == "success"
    assert middle["status"] == "error" and middle["exit_code"] == 3 and middle["language"] == "node"
    assert oldest["code_snippet"] == "print(1)"
    stranger = Browser(people, contract)
    stranger.sign_in("stranger@example.com")
    assert stranger.get(f"/api/projects/{project}/usage").status_code == 404


def test_revoking_twice_is_one_change(browser):
    project = browser.me()["project"]["id"]
    made = browser.post("/api/keys", {"name": "twice"}).json()
    for _ in range(2):
        assert browser.request("DELETE", f"/api/keys/{made['id']}").status_code == 200
    entries = browser.get(f"/api/projects/{project}/audit").json()["entries"]
    assert [e["action"] for e in entries if e["target"] == made["id"]] == ["key.revoke"]
    gone = browser.request("DELETE", f"/api/projects/{project}/keys/no-id")
    assert gone.status_code == 404 and "no id" in gone.json()["message"]  # the project is there
