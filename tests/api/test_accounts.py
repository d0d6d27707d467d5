"""Signing in, sessions, keys and projects of people."""

import pytest

from accounts import Browser, mails
from harness import PATIENCE_S, wait_for

UNLIMITED = ("--auth-links-per-client", "0", "--auth-links-per-address", "0")


@pytest.fixture(scope="module")
def people(contract):
    """A server where anybody may make an account, and one that has: the operator."""
    from harness import Server

    server = Server("--auth-signup", "open", *UNLIMITED)
    server.start()
    server.first_key = server.create_key("default")
    server.first = Browser(server, contract)
    server.first.sign_in("first@example.com")
    yield server
    try:
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()


def test_the_first_becomes_operator_and_takes_the_first_project(people):
    me = people.first.me()
    assert me["user"]["operator"] is True
    assert me["project"]["name"] == "default" and me["project"]["role"] == "owner"
    assert me["project"]["plan"] == "free" and me["project"]["email"] == "first@example.com"
    assert people.first_key["id"] in [key["id"] for key in people.first.get("/api/keys").json()["keys"]]


def test_the_second_gets_a_project_of_his_own(people, browser):
    me = browser.sign_in("Second@Example.COM")
    assert me["user"]["operator"] is False and me["user"]["email"] == "second@example.com"
    assert me["project"]["name"] == "second's project"
    assert browser.get("/api/keys").json() == {"keys": []}
    again = Browser(people, browser.contract)
    assert again.sign_in("second@example.com")["project"]["id"] == me["project"]["id"]


def test_the_page_shows_and_does_not_sign_in(people, browser):
    browser.ask("page@example.com")
    token = wait_for(lambda: mails(people, "page@example.com"), "the mail")[0]
    for _ in range(3):
        for method in ("GET", "HEAD"):
            answer = browser.request(method, f"/auth/verify?token={token}", headers={"Accept": "text/html"})
            assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
    page = browser.get(f"/auth/verify?token={token}", headers={"Accept": "text/html"}).text
    assert "page@example.com" in page and "<script" not in page and 'name="code"' not in page
    assert people.query("SELECT COUNT(*) FROM users WHERE email = 'page@example.com'") == [(0,)]
    assert browser.confirm(token).status_code == 303
    assert browser.me()["user"]["email"] == "page@example.com"


def test_another_browser_needs_the_code(people, browser, contract):
    code = browser.ask("code@example.com")["code"]
    token = wait_for(lambda: mails(people, "code@example.com"), "the mail")[0]
    other = Browser(people, contract)
    assert 'name="code"' in other.get(f"/auth/verify?token={token}", headers={"Accept": "text/html"}).text
    wrong = "000000" if code != "000000" else "111111"
    assert other.confirm(token).status_code == 200  # asks, and signs nobody in
    assert other.confirm(token, code=wrong).status_code == 403
    assert "docle_session" not in other.cookies
    assert other.confirm(token, code=code).status_code == 303
    assert other.me()["user"]["email"] == "code@example.com"


def test_five_wrong_codes_end_a_link(people, browser, contract):
    code = browser.ask("guess@example.com")["code"]
    token = wait_for(lambda: mails(people, "guess@example.com"), "the mail")[0]
    other = Browser(people, contract)
    guesses = [f"{n:06}" for n in range(6) if f"{n:06}" != code][:5]
    for guess in guesses:
        assert other.post("/auth/verify", {"token": token, "code": guess}).json()["code"] == "wrong_code"
    for client in (other, browser):
        answer = client.post("/auth/verify", {"token": token, "code": code})
        assert answer.status_code == 403 and answer.json()["code"] == "invalid_token"


def test_a_program_signs_in_by_json(people, contract):
    program = Browser(people, contract, browser=False)
    program.ask("program@example.com")
    assert not program.cookies
    token = wait_for(lambda: mails(people, "program@example.com"), "the mail")[0]
    answer = program.get(f"/auth/verify?token={token}", headers={"X-Nuxt-Api": "true"})
    assert answer.status_code == 200 and answer.json()["success"] is True
    bearer = {"Authorization": f"Bearer {answer.json()['sessionToken']}"}
    fresh = Browser(people, contract, browser=False)
    assert fresh.get("/auth/me", headers=bearer).json()["user"]["email"] == "program@example.com"
    made = fresh.post("/api/keys", {"name": "ci"}, headers=bearer)
    assert made.status_code == 200 and made.json()["prefix"] == made.json()["key"][:12]


def test_a_link_by_json_post(people, contract):
    program = Browser(people, contract, browser=False)
    program.ask("post@example.com")
    token = wait_for(lambda: mails(people, "post@example.com"), "the mail")[0]
    answer = program.post("/auth/verify", {"token": token})
    assert answer.status_code == 200 and answer.json()["user"]["email"] == "post@example.com"


def test_sessions_are_listed_and_ended(people, browser, contract):
    browser.sign_in("many@example.com")
    other = Browser(people, contract)
    other.sign_in("many@example.com")
    third = Browser(people, contract)
    third.sign_in("many@example.com")
    listed = browser.get("/auth/sessions").json()["sessions"]
    assert len(listed) == 3 and [s["current"] for s in listed].count(True) == 1
    mine = third.me()["session"]["id"]
    assert browser.request("DELETE", f"/auth/sessions/{mine}").status_code == 200
    assert third.get("/auth/me").status_code == 401
    assert browser.request("DELETE", f"/auth/sessions/{mine}").status_code == 404
    assert browser.request("DELETE", "/auth/sessions").status_code == 200
    assert other.get("/auth/me").status_code == 401 and browser.me()


def test_logout(people, browser):
    for leave in (lambda: browser.post("/auth/logout"), lambda: browser.get("/api/logout")):
        browser.sign_in("leaver@example.com")
        token = browser.cookies["docle_session"]
        assert leave().status_code == 200 and "docle_session" not in browser.cookies
        assert browser.get("/auth/me", headers={"Cookie": f"docle_session={token}"}).status_code == 401


def test_keys_by_session(people, browser, make_client):
    browser.sign_in("keys@example.com")
    made = browser.post("/api/keys", {"name": "ci"}).json()
    assert made["message"] == "API key created successfully"
    client = make_client(people, made["key"])
    assert client.run("print(1)")["stdout"] == "1\n"
    listed = browser.get("/api/keys").json()["keys"]
    assert [(k["id"], k["name"], k["is_active"]) for k in listed] == [(made["id"], "ci", True)]
    assert browser.request("DELETE", f"/api/keys/{made['id']}").status_code == 200
    assert client.get("/api/runs").status_code == 401
    assert browser.get("/api/keys").json()["keys"][0]["is_active"] is False
    unknown = browser.request("DELETE", "/api/keys/0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11")
    assert unknown.status_code == 404 and unknown.json()["error"] == "API key not found"


def test_projects(people, browser):
    mine = browser.sign_in("projects@example.com")["project"]["id"]
    made = browser.post("/api/projects", {"name": "second"}).json()["project"]
    assert made["role"] == "owner"
    assert [p["id"] for p in browser.get("/api/projects").json()["projects"]] == [mine, made["id"]]
    board = browser.get("/api/dashboard").json()
    assert board["user"]["email"] == "projects@example.com" and len(board["projects"]) == 2
    key = browser.post(f"/api/projects/{made['id']}/keys", {"name": "k"}).json()
    assert set(key) == {"key", "id"}
    whole = browser.get(f"/api/projects/{made['id']}").json()
    assert whole["project"]["name"] == "second" and whole["apiKeys"][0]["key_prefix"] == key["key"][:12]
    assert browser.post(f"/api/projects/{made['id']}/switch").status_code == 200
    assert browser.me()["project"]["id"] == made["id"]
    assert browser.request("PATCH", f"/api/projects/{made['id']}", json={"name": "Ünï"}).json()["project"]["name"] == "Ünï"
    assert browser.post("/api/projects", {}).status_code == 400
    assert browser.post("/api/projects", {"name": "a\nb"}).status_code == 400
    path = f"/api/projects/{made['id']}/keys/{key['id']}"
    assert browser.request("DELETE", path).status_code == 200
    assert browser.request("DELETE", f"/api/projects/{made['id']}").status_code == 200
    assert browser.get(f"/api/projects/{made['id']}").status_code == 404
    assert browser.me()["project"] is None
    assert browser.get("/api/keys").status_code == 404


def test_runs_by_session(people, browser):
    project = browser.sign_in("runner@example.com")["project"]["id"]
    run = browser.post("/api/run", {"code": "print(7)", "lang": "python"})
    assert run.status_code == 200 and run.json()["stdout"] == "7\n"
    assert browser.get(f"/api/run/{run.json()['id']}").status_code == 200
    assert len(browser.get("/api/runs").json()["runs"]) == 1
    assert people.query("SELECT key_id FROM runs WHERE project_id = ?", project) == [(None,)]


def test_every_change_is_in_the_audit_log(people, browser):
    user = browser.sign_in("audit@example.com")["user"]["id"]
    key = browser.post("/api/keys", {"name": "k"}).json()
    browser.request("DELETE", f"/api/keys/{key['id']}")
    rows = people.query("SELECT action, actor, address FROM audit WHERE user_id = ? ORDER BY id", user)
    assert [row[0] for row in rows] == ["user.create", "project.create", "session.create", "key.create", "key.revoke"]
    assert {row[1:] for row in rows} == {("audit@example.com", "127.0.0.1")}


def test_tokens_are_stored_as_hashes_alone(people, browser):
    browser.ask("secret@example.com")
    token = wait_for(lambda: mails(people, "secret@example.com"), "the mail")[0]
    browser.confirm(token)
    session = browser.cookies["docle_session"]
    content = b"".join(path.read_bytes() for path in people.folder.iterdir() if path.is_file())
    assert b"secret@example.com" in content
    for text in (token, session):
        assert text.encode() not in content and bytes.fromhex(text[3:]) not in content
    assert people.query("SELECT COUNT(*) FROM outbox") == [(0,)]


def test_a_session_token_is_rotated_after_a_day(people, browser, contract):
    browser.sign_in("rotate@example.com")
    old = browser.cookies["docle_session"]
    session = browser.me()["session"]["id"]
    assert browser.cookies["docle_session"] == old

    def age(seconds):
        import contextlib
        import sqlite3

        with contextlib.closing(sqlite3.connect(people.folder / "docle.db", timeout=PATIENCE_S)) as database:
            database.execute("UPDATE sessions SET rotated_at = rotated_at - ? WHERE id = ?", (seconds * 10**9, session))
            database.commit()

    age(25 * 3600)
    browser.me()
    new = browser.cookies["docle_session"]
    assert new != old
    stale = {"Cookie": f"docle_session={old}"}
    assert browser.get("/auth/me", headers=stale).status_code == 200  # was under way
    age(3600)
    assert browser.get("/auth/me", headers=stale).status_code == 401  # was copied
    assert browser.get("/auth/me").status_code == 401  # nobody keeps a session that was copied


def test_closed_and_invited(own_server, contract):
    server = own_server(*UNLIMITED)
    Browser(server, contract).sign_in("boss@example.com")
    stranger = Browser(server, contract)
    answer = stranger.ask("stranger@example.com")
    assert set(answer) == {"message", "email", "expires_in", "code"}
    Browser(server, contract).sign_in("boss@example.com")  # whose mail left after the stranger's would have
    assert not mails(server, "stranger@example.com")
    assert server.query("SELECT COUNT(*) FROM users") == [(1,)]


def test_domains(own_server, contract):
    server = own_server("--auth-signup", "domains", "--auth-domains", "good.example, *.sub.example", *UNLIMITED)
    Browser(server, contract).sign_in("boss@example.com")
    for good in ("a@good.example", "a@x.sub.example"):
        Browser(server, contract).sign_in(good)
    for bad in ("a@sub.example", "a@notgood.example", "a@good.example.evil.example"):
        Browser(server, contract).ask(bad)
    Browser(server, contract).sign_in("boss@example.com")
    assert server.query("SELECT COUNT(*) FROM users") == [(3,)]


def invite(owner, project, email, role="developer"):
    return owner.post(f"/api/projects/{project}/invitations", {"email": email, "role": role})


def test_invitations(own_server, contract):
    """With `invite`, the default, the invited may make an account, and are members once they accept."""
    server = own_server(*UNLIMITED)
    boss = Browser(server, contract)
    project = boss.sign_in("boss@example.com")["project"]["id"]
    assert invite(boss, project, "New@example.com").status_code == 200
    assert invite(boss, project, "new@example.com").status_code == 409
    wait_for(lambda: "Mail to new@example.com: An invitation to Docle" in server.log_text(), "the mail")
    guest = Browser(server, contract)
    mine = guest.sign_in("new@example.com")["project"]["id"]
    assert mine != project and guest.get(f"/api/projects/{project}").status_code == 404
    waiting = guest.get("/api/invitations").json()["invitations"]
    assert [(i["project_id"], i["invited_by"], i["role"]) for i in waiting] == [(project, "boss@example.com", "developer")]
    assert boss.get(f"/api/projects/{project}/invitations").json()["invitations"] == waiting
    assert boss.post(f"/api/invitations/{waiting[0]['id']}/accept").status_code == 404  # not his
    assert guest.post(f"/api/invitations/{waiting[0]['id']}/accept").status_code == 200
    assert guest.post(f"/api/invitations/{waiting[0]['id']}/accept").status_code == 404
    assert guest.get(f"/api/projects/{project}").json()["project"]["role"] == "developer"
    assert [m["email"] for m in guest.get(f"/api/projects/{project}/members").json()["members"]] == ["boss@example.com", "new@example.com"]
    invite(boss, project, "other@example.com")
    other = boss.get(f"/api/projects/{project}/invitations").json()["invitations"][0]["id"]
    assert boss.request("DELETE", f"/api/projects/{project}/invitations/{other}").status_code == 200
    Browser(server, contract).ask("other@example.com")
    Browser(server, contract).sign_in("boss@example.com")
    assert "Sign in" not in server.log_text().split("other@example.com", 1)[1].splitlines()[0]
    invite(boss, project, "new@example.com", "admin")
    declined = guest.get("/api/invitations").json()["invitations"][0]["id"]
    assert guest.request("DELETE", f"/api/invitations/{declined}").status_code == 200
    actions = [e["action"] for e in boss.get(f"/api/projects/{project}/audit").json()["entries"]]
    assert actions[:3] == ["invitation.decline", "invitation.create", "invitation.withdraw"]
    first = boss.get(f"/api/projects/{project}/audit?limit=2").json()
    rest = boss.get(f"/api/projects/{project}/audit?limit=200&cursor={first['nextCursor']}").json()
    assert [e["action"] for e in first["entries"] + rest["entries"]] == actions and rest["nextCursor"] is None
    assert guest.get("/auth/audit").json()["entries"][0]["action"] == "invitation.decline"


def test_owners_and_admins(people, contract):
    owner, admin = Browser(people, contract), Browser(people, contract)
    me = owner.sign_in("team-owner@example.com")
    project, owner_id = me["project"]["id"], me["user"]["id"]
    admin_id = admin.sign_in("team-admin@example.com")["user"]["id"]
    invite(owner, project, "team-admin@example.com", "admin")
    admin.post(f"/api/invitations/{admin.get('/api/invitations').json()['invitations'][0]['id']}/accept")
    path = f"/api/projects/{project}/members"
    assert admin.request("PATCH", f"{path}/{admin_id}", json={"role": "owner"}).status_code == 403
    assert admin.request("PATCH", f"{path}/{owner_id}", json={"role": "viewer"}).status_code == 403
    assert admin.request("DELETE", f"{path}/{owner_id}").status_code == 403
    assert invite(admin, project, "third@example.com", "owner").status_code == 403
    assert owner.post(f"/api/projects/{project}/leave").status_code == 409
    assert owner.request("PATCH", f"{path}/{owner_id}", json={"role": "admin"}).status_code == 409
    assert owner.request("PATCH", f"{path}/{admin_id}", json={"role": "king"}).status_code == 400
    assert owner.request("PATCH", f"{path}/{admin_id}", json={"role": "owner"}).status_code == 200
    assert admin.request("DELETE", f"{path}/{owner_id}").status_code == 200
    assert owner.get(f"/api/projects/{project}").status_code == 404
    assert owner.me()["project"] is None and owner.get("/api/runs").status_code == 404


def test_export_and_deletion(people, browser):
    me = browser.sign_in("leaving@example.com")
    browser.post("/api/keys", {"name": "exported"})
    whole = browser.get("/auth/export")
    assert whole.headers["Content-Disposition"].startswith("attachment")
    data = whole.json()
    assert data["user"]["email"] == "leaving@example.com"
    assert data["projects"][0]["apiKeys"][0]["name"] == "exported" and "sk_live_" + "0" not in whole.text
    assert [e["action"] for e in data["audit"]][0] == "key.create" and len(data["sessions"]) == 1
    assert browser.request("DELETE", "/auth/me").status_code == 400
    assert browser.request("DELETE", "/auth/me", json={"email": "other@example.com"}).status_code == 400
    assert browser.me()
    assert browser.request("DELETE", "/auth/me", json={"email": "leaving@example.com"}).status_code == 200
    assert "docle_session" not in browser.cookies
    assert people.query("SELECT COUNT(*) FROM projects WHERE id = ?", me["project"]["id"]) == [(0,)]
    assert browser.sign_in("leaving@example.com")["user"]["id"] != me["user"]["id"]
