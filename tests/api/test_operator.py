"""docle login-link, users and projects, beside a running server."""

import json

from accounts import LINK, Browser
from harness import wait_for

UNLIMITED = ("--auth-links-per-client", "0", "--auth-links-per-address", "0")


def test_login_link(own_server, contract):
    server = own_server("--auth-signup", "closed", *UNLIMITED)
    server.create_key("default")
    made = json.loads(server.docle("login-link", "Boss@example.com", "--json", "--app-url", server.url()).stdout)
    assert made["email"] == "boss@example.com" and made["link"].startswith(server.url())
    token = LINK.search(made["link"])[1]
    stranger = Browser(server, contract)  # any browser
    assert stranger.confirm(token).status_code == 303
    me = stranger.me()
    assert me["user"]["operator"] is True and me["project"]["name"] == "default"
    assert Browser(server, contract).confirm(token).status_code == 403
    second = LINK.search(server.docle("login-link", "second@example.com").stdout)[1]
    other = Browser(server, contract)
    assert other.confirm(second).status_code == 303 and other.me()["user"]["operator"] is False
    assert server.docle("login-link", "nobody", check=False).returncode != 0
    listed = json.loads(server.docle("users", "list", "--json").stdout)
    assert [(u["email"], u["operator"]) for u in listed] == [("boss@example.com", True), ("second@example.com", False)]


def test_suspension(own_server, contract, make_client):
    server = own_server("--auth-signup", "open", *UNLIMITED)
    person = Browser(server, contract)
    project = person.sign_in("a@example.com")["project"]["id"]
    key = make_client(server, person.post("/api/keys", {"name": "k"}).json()["key"])
    server.docle("users", "suspend", "a@example.com")
    assert person.get("/auth/me").status_code == 401
    person.ask("a@example.com")
    Browser(server, contract).sign_in("b@example.com")
    assert server.log_text().count("Mail to a@example.com") == 1
    assert key.get("/api/runs").status_code == 200
    server.docle("projects", "suspend", project)
    assert key.get("/api/runs").json()["code"] == "project_suspended"
    server.docle("projects", "suspend", project, "--lift")
    server.docle("users", "suspend", "a@example.com", "--lift")
    assert key.get("/api/runs").status_code == 200
    person.sign_in("a@example.com")
    server.docle("projects", "plan", project, "pro")
    assert person.me()["project"]["plan"] == "pro"
    rows = json.loads(server.docle("projects", "list", "--json").stdout)
    assert (project, "a@example.com", "pro", False) in [(r["id"], r["owner"], r["plan"], r["suspended"]) for r in rows]
    assert server.docle("projects", "plan", project, "gold", check=False).returncode != 0
    assert server.docle("users", "suspend", "none@example.com", check=False).returncode != 0


def test_show_and_limits(own_server, contract, make_client):
    server = own_server("--auth-signup", "open", *UNLIMITED)
    person = Browser(server, contract)
    project = person.sign_in("a@example.com")["project"]
    key = make_client(server, person.post("/api/keys", {"name": "k"}).json()["key"])

    shown = json.loads(server.docle("users", "show", "A@example.com", "--json").stdout)
    assert (shown["email"], shown["suspendedAt"]) == ("a@example.com", None)
    assert [(p["id"], p["name"], p["role"]) for p in shown["projects"]] == [(project["id"], project["name"], "owner")]
    assert project["id"] in server.docle("users", "show", "a@example.com").stdout
    missing = server.docle("users", "show", "none@example.com", check=False)
    assert missing.returncode != 0 and "none@example.com" in missing.stderr

    def limits(*options):
        return json.loads(server.docle("projects", "limits", project["id"], *options, "--json").stdout)["limits"]

    key.run("print(1)")
    agreed = limits("--runs-per-month", "2", "--timeout-ms", "2000", "--memory-mb", "64", "--running", "3",
                    "--budget", "12.50", "--user-budget", "0.5", "--budget-stops", "yes", "--user-rate", "9",
                    "--install-seconds", "30")
    assert agreed == {"runsPerMonth": 2, "timeoutMs": 2000, "installSeconds": 30, "memoryMb": 64,
                      "maxConcurrentRuns": 3, "userRateLimitPerMinute": 9, "monthlyBudget": 12.5,
                      "userMonthlyBudget": 0.5, "budgetStops": True}
    key.run("print(1)")  # in force without a restart: the second of the month, and no more
    assert key.run("print(1)", status=429)["code"] == "quota_exceeded"
    changed = limits("--runs-per-month", "none", "--budget-stops", "no")  # the rest stays
    assert changed == {**agreed, "runsPerMonth": None, "budgetStops": False}
    key.run("print(1)")
    shown = json.loads(server.docle("projects", "show", project["id"], "--json").stdout)
    assert shown["limits"] == changed and shown["members"] == [{"email": "a@example.com", "role": "owner"}]
    text = server.docle("projects", "show", project["name"]).stdout
    assert "budget of a month: 12.5\n" in text and "a@example.com" in text

    for wrong in (("--budget", "0"), ("--budget", "1.0000001"), ("--running", "0"), ("--timeout-ms", "-1"),
                  ("--memory-mb", "1e3"), ("--budget-stops", "none"), ()):
        assert server.docle("projects", "limits", project["id"], *wrong, check=False).returncode != 0, wrong
    assert server.docle("projects", "limits", "nobody's", "--running", "1", check=False).returncode != 0
    assert json.loads(server.docle("projects", "show", project["id"], "--json").stdout) == shown
    audit = person.get(f"/api/projects/{project['id']}/audit").json()
    assert "project.limits" in str(audit)


def test_keys_by_command_are_audited(own_server):
    server = own_server()
    made = server.create_key("fresh")
    server.docle("keys", "limit", made["id"], "--rate-limit", "5")
    rolled = json.loads(server.docle("keys", "roll", made["id"], "--json").stdout)
    for _ in range(2):
        server.docle("keys", "revoke", rolled["id"])  # the second changes nothing
    rows = server.query("SELECT a.actor, a.action, a.target FROM audit a JOIN projects p ON p.id = a.project_id"
                        " WHERE p.name = 'fresh' ORDER BY a.id")
    assert {actor for actor, _, _ in rows} == {"operator (command line)"}
    assert [row[1:] for row in rows] == [
        ("project.create", "fresh"), ("key.create", made["prefix"]), ("key.change", made["id"]),
        ("key.roll", made["id"]), ("key.revoke", rolled["id"])]
    assert server.docle("keys", "limit", made["id"], "--rate-limit", "0", check=False).returncode != 0
    assert server.docle("keys", "revoke", "sk_live_none", check=False).returncode != 0


def test_deletion(own_server, contract, make_client):
    server = own_server("--auth-signup", "open", *UNLIMITED)
    Browser(server, contract).sign_in("boss@example.com")
    person, mate = Browser(server, contract), Browser(server, contract)
    project = person.sign_in("gone@example.com")["project"]["id"]
    mate.sign_in("mate@example.com")
    key = make_client(server, person.post("/api/keys", {"name": "k"}).json()["key"])
    key.run("print(1)")
    person.post(f"/api/projects/{project}/invitations", {"email": "mate@example.com", "role": "viewer"})
    mate.post(f"/api/invitations/{mate.get('/api/invitations').json()['invitations'][0]['id']}/accept")
    refused = server.docle("users", "delete", "gone@example.com", check=False)
    assert refused.returncode != 0 and "no other owner" in refused.stderr
    assert person.me()
    assert mate.post(f"/api/projects/{project}/leave").status_code == 200
    server.docle("users", "delete", "gone@example.com")
    assert person.get("/auth/me").status_code == 401 and key.get("/api/runs").status_code == 401
    assert server.query("SELECT COUNT(*) FROM ledger WHERE project_id = ?", project) == [(1,)]
    for table in ("users", "links", "outbox", "invitations", "audit", "sessions", "members"):
        assert "gone@example.com" not in str(server.query(f"SELECT * FROM {table}")), table
