"""Many requests of which one, or so many and no more, may win. All are with the server before it has answered the first."""

import collections
import contextlib
import json
import sqlite3
import time

import pytest

from accounts import Browser, mails, set_role
from harness import PATIENCE_S, Server, at_once, wait_for

UNLIMITED = ("--auth-links-per-client", "0", "--auth-links-per-address", "0")
MANY = 50
RUN = {"code": "print(1)", "lang": "python"}


@pytest.fixture(scope="module")
def people(contract):
    server = Server("--auth-signup", "open", *UNLIMITED)
    server.start()
    server.create_key("default")
    Browser(server, contract).sign_in("first@example.com")
    yield server
    try:
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()


def session(browser):
    return {"Authorization": f"Bearer {browser.cookies['docle_session']}"}


def statuses(answers):
    return dict(collections.Counter(status for status, _ in answers))


def token_for(client, email):
    before = len(mails(client.server, email))
    client.ask(email)
    return wait_for(lambda: mails(client.server, email)[before:], "the mail")[0]


def test_one_token_signs_in_once(people, contract):
    """A link of a program's, used by fifty at once, and by a page that is confirmed meanwhile."""
    program = Browser(people, contract, browser=False)
    for _ in range(3):
        token = token_for(program, "once@example.com")
        sessions = people.query("SELECT COUNT(*) FROM sessions")[0][0]
        answers = at_once(people, [("POST", "/auth/verify", {}, {"token": token})] * MANY)
        assert statuses(answers) == {200: 1, 403: MANY - 1}
        assert people.query("SELECT COUNT(*) FROM sessions") == [(sessions + 1,)]
    assert people.query("SELECT COUNT(*) FROM users WHERE email = 'once@example.com'") == [(1,)]


def test_two_links_of_a_new_person_make_one_account(people, contract):
    program = Browser(people, contract, browser=False)
    tokens = [token_for(program, "twice@example.com") for _ in range(2)]
    answers = at_once(people, [("POST", "/auth/verify", {}, {"token": token}) for token in tokens * 10])
    assert set(statuses(answers)) == {200, 403}
    (user,), = people.query("SELECT id FROM users WHERE email = 'twice@example.com'")
    assert people.query("SELECT COUNT(*) FROM members WHERE user_id = ?", user) == [(1,)]


def test_guessing_codes_at_once(people, contract):
    """Five guesses are five, however they arrive: the sixth is not looked at, be it right."""
    asker = Browser(people, contract)
    code = asker.ask("guess@example.com")["code"]
    token = wait_for(lambda: mails(people, "guess@example.com"), "the mail")[0]
    wrong = [f"{(int(code) + n) % 10**6:06d}" for n in range(1, MANY + 1)]
    headers = {"Origin": people.url(), "Sec-Fetch-Site": "same-origin"}
    answers = at_once(people, [("POST", "/auth/verify", headers, {"token": token, "code": guess}) for guess in wrong])
    assert 200 not in statuses(answers)
    assert people.query("SELECT wrong_codes FROM links WHERE email = 'guess@example.com'") == [(5,)]
    assert asker.confirm(token, code=code).status_code == 403


def test_links_are_counted_exactly(own_server, contract):
    server = own_server("--auth-signup", "open", "--auth-links-per-address", "0")
    asked = [("POST", "/auth/magic-link", {}, {"email": f"a{n}@example.com"}) for n in range(MANY)]
    assert statuses(at_once(server, asked)) == {200: 5, 429: MANY - 5}
    server = own_server("--auth-signup", "open", "--auth-links-per-client", "0")
    assert statuses(at_once(server, [("POST", "/auth/magic-link", {}, {"email": "a@example.com"})] * MANY)) == {200: 5, 429: MANY - 5}


def test_known_and_unknown_addresses_write_the_same(own_server, contract):
    """By construction: a request writes the same rows whoever it names; who gets a mail is judged later, by the outbox."""
    server = own_server(*UNLIMITED)
    client = Browser(server, contract)
    client.sign_in("known@example.com")
    with contextlib.closing(sqlite3.connect(server.folder / "docle.db", timeout=PATIENCE_S)) as database:
        database.execute("CREATE TABLE written (name TEXT, what TEXT)")
        for table, name in (("links", "email"), ("outbox", "recipient")):
            database.execute(f"""CREATE TRIGGER written_{table} AFTER INSERT ON {table} BEGIN
                INSERT INTO written VALUES (NEW.{name}, '{table}'); END""")
        database.commit()
    for email in ("known@example.com", "nobody@example.com"):
        client.ask(email)
        assert server.query("SELECT what FROM written WHERE name = ? ORDER BY rowid", email) == [("links",), ("outbox",)]
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")
    assert len(mails(server, "known@example.com")) == 2 and not mails(server, "nobody@example.com")


def test_an_invitation_is_accepted_once(people, contract):
    owner, guest = Browser(people, contract), Browser(people, contract)
    project = owner.sign_in("host@example.com")["project"]["id"]
    guest.sign_in("guest@example.com")
    owner.post(f"/api/projects/{project}/invitations", {"email": "guest@example.com", "role": "viewer"})
    (invitation,) = guest.get("/api/invitations").json()["invitations"]
    path = f"/api/invitations/{invitation['id']}/accept"
    assert statuses(at_once(people, [("POST", path, session(guest), None)] * MANY)) == {200: 1, 404: MANY - 1}
    assert guest.get(f"/api/projects/{project}").json()["project"]["role"] == "viewer"


def test_a_project_keeps_an_owner(people, contract):
    """Two owners leave, and make each other less, at once: one stays."""
    one, two = Browser(people, contract), Browser(people, contract)
    first = one.sign_in("left@example.com")["user"]["id"]
    second = two.sign_in("right@example.com")["user"]["id"]
    for ways in ("leave", "demote", "remove"):
        project = one.post("/api/projects", {"name": ways}).json()["project"]["id"]
        set_role(people, project, second, "owner")
        path = f"/api/projects/{project}"
        asked = {
            "leave": [("POST", f"{path}/leave", session(who), None) for who in (one, two)],
            "demote": [("PATCH", f"{path}/members/{other}", session(who), {"role": "viewer"})
                       for who, other in ((one, second), (two, first))],
            "remove": [("DELETE", f"{path}/members/{other}", session(who), None)
                       for who, other in ((one, second), (two, first))],
        }[ways]
        answers = at_once(people, asked * 10)
        assert 200 in statuses(answers), answers
        owners = people.query("SELECT COUNT(*) FROM members WHERE project_id = ? AND role = 'owner'", project)
        assert owners == [(1,)], ways


def test_a_key_is_rolled_once(people, contract):
    owner = Browser(people, contract)
    owner.sign_in("roll@example.com")
    key = owner.post("/api/keys", {"name": "k"}).json()["id"]
    answers = at_once(people, [("POST", f"/api/keys/{key}/roll", session(owner), {"overlapHours": 1})] * MANY)
    assert statuses(answers) == {200: 1, 409: MANY - 1}
    assert len(owner.get("/api/keys").json()["keys"]) == 2


def test_a_revoked_key_is_refused_at_once(people, contract):
    """Fifty requests beside the revocation; of those that begin after its answer, none gets by."""
    owner = Browser(people, contract)
    owner.sign_in("revoke@example.com")
    for _ in range(5):
        made = owner.post("/api/keys", {"name": "k", "rateLimitPerMinute": None}).json()
        use = ("GET", "/api/runs?limit=1", {"Authorization": f"Bearer {made['key']}"}, None)
        revoke = ("DELETE", f"/api/keys/{made['id']}", session(owner), None)
        answers = at_once(people, [use] * (MANY // 2) + [revoke] + [use] * (MANY // 2))
        assert answers[MANY // 2][0] == 200 and set(statuses(answers)) <= {200, 401}
        assert statuses(at_once(people, [use] * MANY)) == {401: MANY}


def test_an_ended_session_is_refused_at_once(people, contract):
    owner = Browser(people, contract)
    owner.sign_in("ended@example.com")
    use = ("GET", "/auth/me", session(owner), None)
    answers = at_once(people, [use] * 20 + [("POST", "/auth/logout", session(owner), None)] * 5 + [use] * 20)
    assert answers[20][0] in (200, 401) and 200 in [status for status, _ in answers[20:25]]
    assert statuses(at_once(people, [use] * MANY)) == {401: MANY}


def test_a_member_removed_is_refused_at_once(people, contract):
    owner, member = Browser(people, contract), Browser(people, contract)
    project = owner.sign_in("keeper@example.com")["project"]["id"]
    user = member.sign_in("thrown@example.com")["user"]["id"]
    set_role(people, project, user, "developer")
    use = ("POST", f"/api/projects/{project}/keys", session(member), {"name": "late"})
    remove = ("DELETE", f"/api/projects/{project}/members/{user}", session(owner), None)
    assert at_once(people, [use] * 10 + [remove] + [use] * 10)[10][0] == 200
    made = people.query("SELECT COUNT(*) FROM api_keys WHERE project_id = ?", project)
    assert statuses(at_once(people, [use] * MANY)) == {404: MANY}
    assert people.query("SELECT COUNT(*) FROM api_keys WHERE project_id = ?", project) == made


def test_a_token_is_replaced_once(people, contract):
    """Rotation by many requests of one page at once: all go on, one new token, and the old one is soon worth nothing."""
    owner = Browser(people, contract)
    me = owner.sign_in("rotate@example.com")
    with contextlib.closing(sqlite3.connect(people.folder / "docle.db", timeout=PATIENCE_S)) as database:
        database.execute("UPDATE sessions SET rotated_at = rotated_at - ? WHERE id = ?", (2 * 86400 * 10**9, me["session"]["id"]))
        database.commit()
    cookie = {"Cookie": f"docle_session={owner.cookies['docle_session']}"}
    assert statuses(at_once(people, [("GET", "/auth/me", cookie, None)] * MANY)) == {200: MANY}
    rows = people.query("SELECT hash = old_hash, rotated_at FROM sessions WHERE user_id = ?", me["user"]["id"])
    assert len(rows) == 1 and rows[0][0] == 0 and time.time_ns() - rows[0][1] < 3600 * 10**9


def test_the_last_of_a_quota(own_server):
    server = own_server("--plans-free-runs", "10", "--project-queued", "200")
    key = server.create_key()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    assert statuses(at_once(server, [("POST", "/api/run", headers, RUN)] * 9)) == {200: 9}
    assert statuses(at_once(server, [("POST", "/api/run", headers, RUN)] * 100)) == {200: 1, 429: 99}
    assert server.query("SELECT used FROM quota") == [(10,)] and server.query("SELECT COUNT(*) FROM ledger") == [(10,)]


def test_a_rate_is_exact(people):
    made = people.create_key("rates", "--rate-limit", "10")
    headers = {"Authorization": f"Bearer {made['key']}"}
    answers = at_once(people, [("GET", "/api/runs?limit=1", headers, None)] * MANY)
    assert statuses(answers) == {200: 10, 429: MANY - 10}


def test_runs_at_once_are_as_many_as_the_key_may(people):
    made = people.create_key("caps", "--concurrency", "1")
    headers = {"Authorization": f"Bearer {made['key']}"}
    body = {"code": "import time; time.sleep(2)", "lang": "python"}
    assert statuses(at_once(people, [("POST", "/api/run", headers, body)] * 20)) == {200: 1, 429: 19}


def test_one_webhook_however_often_it_comes(shop):
    """Fifty deliveries of one event at once: answered all, kept and handled once."""
    from standin import signature_header

    opened = shop()
    opened.sign_in()
    body = {"id": "evt_rush", "type": "customer.subscription.updated", "data": {"object": {"id": "sub_none"}}}
    header = {"Stripe-Signature": signature_header(["whsec_standin"], json.dumps(body).encode(), int(time.time()))}
    answers = at_once(opened.server, [("POST", "/api/stripe/webhook", header, body)] * MANY)
    assert statuses(answers) == {200: MANY}
    assert opened.server.query("SELECT COUNT(*) FROM stripe_events WHERE id = 'evt_rush'") == [(1,)]
