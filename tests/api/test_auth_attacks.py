"""A-13, A-17, A-23, A-30, A-34 and their kin, against a real server."""

import concurrent.futures
import pathlib
import re

import pytest
import requests

from accounts import Browser, mails, set_role
from harness import PATIENCE_S, Server, raw_exchange, wait_for

UNLIMITED = ("--auth-links-per-client", "0", "--auth-links-per-address", "0")
ROOT = pathlib.Path(__file__).resolve().parents[2]
SOME = "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"
ROUTES = re.findall(r'\{"(/[^"]*)",\s*"([A-Z]+)",\s*(ROUTE_\w+),\s*(\w+),\s*\w+,\s*(true|false)\}',
                    (ROOT / "src/api/route_table.c").read_text())
ROLES = {"viewer": 1, "developer": 2, "admin": 3, "owner": 4}
LEAST = dict(re.findall(r"\[(PERMIT_\w+)\] = ROLE_(\w+)", (ROOT / "src/accounts/roles.c").read_text()))


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


@pytest.fixture
def program(people, contract):
    return Browser(people, contract, browser=False)


def link_for(client, email):
    before = len(mails(client.server, email))
    client.ask(email)
    return wait_for(lambda: mails(client.server, email)[before:], "the mail")[0]


def writes(access):
    return [(path, method) for path, method, kind, _, acts in ROUTES
            if kind in access and (method not in ("GET", "HEAD") or acts == "true")]


def fill(path, project=SOME):
    return path.replace("{id}", project).replace("{sub}", SOME)


# --- the route table ---


def test_the_table_is_read_whole(contract):
    source = (ROOT / "src/api/route_table.c").read_text()
    assert len(ROUTES) == len(re.findall(r"ROUTE_(?:OPEN|CALLER|SESSION|CURRENT|PROJECT)\b", source))
    documented = {(path, method.upper()) for path, item in contract.document["paths"].items()
                  for method in item if method != "parameters"}
    assert {(path, method) for path, method, *_ in ROUTES} == documented


def test_the_table_of_roles_is_the_documented_one():
    text = (ROOT / "docs/internals/accounts.md").read_text()
    rows = re.findall(r"^\| (\w+) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|", text, re.M)
    table = {name: [cell.strip() == "yes" for cell in cells] for name, *cells in rows if name != "Permission"}
    assert table == {name[7:].lower(): [level >= ROLES[least.lower()] for level in (1, 2, 3, 4)]
                     for name, least in LEAST.items()}


# --- other sites ---

FOREIGN = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
    {"Origin": "null", "Sec-Fetch-Site": None},
    {"Sec-Fetch-Site": "cross-site", "Origin": None},
    {"Sec-Fetch-Site": "same-site", "Origin": None},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": None},  # another port
    {"Origin": "https://127.0.0.1:PORT", "Sec-Fetch-Site": None},
    {"Origin": "http://localhost:8787.evil.example", "Sec-Fetch-Site": None},
    {"Origin": "http://localhost:8787@evil.example", "Sec-Fetch-Site": None},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_site_changes_anything(people, browser, headers):
    """Every route that changes something by a cookie, as the table has them."""
    project = browser.sign_in("victim@example.com")["project"]["id"]
    headers = {k: v and v.replace("PORT", str(people.port)) for k, v in headers.items()}
    table = writes({"ROUTE_CALLER", "ROUTE_SESSION", "ROUTE_CURRENT", "ROUTE_PROJECT"})
    assert len(table) >= 10
    for path, method in table:
        answer = browser.request(method, fill(path, project), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), (path, method)
    assert browser.me()["project"]["id"] == project


def test_no_other_site_signs_anybody_in(people, browser, contract):
    token = link_for(browser, "login-csrf@example.com")
    for headers in FOREIGN[:4]:
        for body in ({"json": {"token": token}}, {"data": {"token": token}}):
            answer = browser.request("POST", "/auth/verify", headers=headers, **body)
            assert answer.status_code == 403 and "docle_session" not in browser.cookies
        assert browser.post("/auth/magic-link", {"email": "x@example.com"}, headers=headers).status_code == 403
        nuxt = browser.get(f"/auth/verify?token={token}", headers={**headers, "X-Nuxt-Api": "true"})
        assert nuxt.status_code == 403
    assert browser.confirm(token).status_code == 303


def test_our_own_pages_may(people, browser):
    browser.sign_in("own@example.com")
    for headers in (
        {"Origin": people.url(), "Sec-Fetch-Site": None},
        {"Origin": "http://localhost:8787", "Sec-Fetch-Site": None},  # app.url
        {"Origin": None, "Sec-Fetch-Site": None},  # curl
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},  # a form of a page without referrers
        {"Origin": None, "Sec-Fetch-Site": "none"},
    ):
        assert browser.post("/api/projects", {"name": "p"}, headers=headers).status_code == 200, headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None])
def test_only_json_is_taken_with_a_cookie(people, browser, kind):
    browser.sign_in("forms@example.com")
    for path in ("/api/keys", "/api/projects", "/auth/magic-link"):
        answer = browser.request("POST", path, data=b'{"name":"x","email":"a@b.example"}', headers={"Content-Type": kind})
        assert answer.status_code == 415, path


def test_head_and_prefetch_do_not_log_out(people, browser):
    browser.sign_in("head@example.com")
    assert browser.request("HEAD", "/api/logout").status_code == 405
    assert browser.get("/api/logout", headers={"Sec-Fetch-Site": "cross-site", "Origin": None}).status_code == 403
    assert browser.me()


def test_cors_lets_nobody_in(people, browser):
    browser.sign_in("cors@example.com")
    answer = browser.get("/auth/me", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


# --- tokens ---


def test_tampered_and_foreign_tokens(people, browser):
    token = link_for(browser, "tamper@example.com")
    browser.confirm(token)
    good = browser.cookies["docle_session"]
    flipped = good[:-1] + ("0" if good[-1] != "0" else "1")
    for bad in (flipped, good[:-1], good + "0", good.upper(), token, "ds_" + "0" * 64, "ds_" + "g" * 64, "",
                "' OR 1=1 --", "ds_" + "%00" * 21 + "0", good + " ", "sk_live_" + "0" * 48):
        assert browser.get("/auth/me", headers={"Cookie": f"docle_session={bad}"}).status_code == (200 if bad.strip() == good else 401), bad
        if bad.strip() != good:
            answer = browser.get("/auth/me", headers={"Cookie": None, "Authorization": f"Bearer {bad}"})
            assert answer.status_code == 401, bad


def test_two_different_cookies_are_none(people, browser):
    browser.sign_in("tossed@example.com")
    good = browser.cookies["docle_session"]
    other = "ds_" + "1" * 64
    for cookies in (f"docle_session={other}; docle_session={good}", f"docle_session={good}; docle_session={other}"):
        assert browser.get("/auth/me", headers={"Cookie": cookies}).status_code == 401
    assert browser.get("/auth/me", headers={"Cookie": f"a=b; docle_session={good}; c"}).status_code == 200


def test_a_link_works_once(people, browser, contract):
    token = link_for(browser, "once@example.com")
    assert browser.confirm(token).status_code == 303
    for client in (browser, Browser(people, contract)):
        assert client.confirm(token).status_code == 403
        assert client.get(f"/auth/verify?token={token}").json()["code"] == "invalid_token"


def test_of_many_at_once_one_wins(people, program):
    for _ in range(3):
        token = link_for(program, "race@example.com")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(lambda _: requests.post(people.url("/auth/verify"), json={"token": token},
                                                          timeout=PATIENCE_S).status_code, range(16)))
        assert sorted(codes) == [200] + [403] * 15


def test_an_older_link_ends_with_the_use_of_a_newer(people, browser):
    old, new = link_for(browser, "two@example.com"), link_for(browser, "two@example.com")
    assert browser.confirm(new).status_code == 303
    assert browser.confirm(old).status_code == 403


def test_a_link_expires(people, browser):
    import contextlib
    import sqlite3

    token = link_for(browser, "late@example.com")
    with contextlib.closing(sqlite3.connect(people.folder / "docle.db", timeout=PATIENCE_S)) as database:
        database.execute("UPDATE links SET expires_at = expires_at - ? WHERE email = 'late@example.com'", (900 * 10**9,))
        database.commit()
    assert browser.confirm(token).status_code == 403


def test_a_program_s_link_does_not_sign_a_browser_in(people, program, browser):
    """One's own link, sent to a victim: the page names the account and asks for a code."""
    token = link_for(program, "attacker@example.com")
    page = browser.get(f"/auth/verify?token={token}", headers={"Accept": "text/html"}).text
    assert "attacker@example.com" in page and 'name="code"' in page
    browser.confirm(token)
    assert "docle_session" not in browser.cookies


@pytest.mark.parametrize("token", ["", "dl_", "dl_" + "0" * 64, "dl_" + "0" * 63, "x" * 7000, "%3Cscript%3E", "a&token=b"])
def test_bad_tokens(people, browser, token):
    for headers in ({}, {"Accept": "text/html"}):
        answer = browser.get(f"/auth/verify?token={token}", headers=headers)
        assert answer.status_code in (400, 403) and "<script>" not in answer.text


def test_session_fixation_and_rotation(people, browser):
    planted = "ds_" + "5" * 64
    browser.cookies["docle_session"] = planted
    browser.sign_in("fix@example.com")
    first = browser.cookies["docle_session"]
    assert first != planted
    browser.sign_in("fix@example.com")
    assert browser.cookies["docle_session"] != first
    assert browser.get("/auth/me", headers={"Cookie": f"docle_session={first}"}).status_code == 401


def test_the_cookie_s_attributes(people, browser, own_server, contract):
    token = link_for(browser, "attr@example.com")
    lines = browser.confirm(token).raw.headers.getlist("Set-Cookie")
    session = next(line for line in lines if line.startswith("docle_session="))
    for attribute in ("Path=/", "HttpOnly", "SameSite=Lax", f"Max-Age={30 * 24 * 3600}"):
        assert f"; {attribute}" in session
    assert "Secure" not in session and "Domain" not in session
    proxied = {"X-Forwarded-Proto": "https", "Origin": people.url().replace("http:", "https:")}
    token = link_for(browser, "attr@example.com")
    answer = browser.request("POST", "/auth/verify", data={"token": token}, headers=proxied)
    assert all("; Secure" in line for line in answer.raw.headers.getlist("Set-Cookie"))


def test_secure_by_app_url(own_server, contract):
    server = own_server("--app-url", "https://docle.example.com")
    answer = Browser(server, contract, browser=False).post(
        "/auth/magic-link", {"email": "a@example.com"}, headers={"Origin": "https://docle.example.com"})
    assert "; Secure" in answer.headers["Set-Cookie"]


# --- what answers give away ---


def test_known_and_unknown_addresses_get_one_answer(own_server, contract):
    server = own_server(*UNLIMITED)
    client = Browser(server, contract)
    client.sign_in("known@example.com")
    shapes = set()
    for email in ("known@example.com", "nobody@example.com", "other@nowhere.example"):
        answer = Browser(server, contract).post("/auth/magic-link", {"email": email})
        shape = {**answer.json(), "email": "", "code": ""}
        names = tuple(sorted(n for n in answer.headers if n not in ("Date", "X-Request-Id")))
        shapes.add((answer.status_code, str(shape), names))
    assert len(shapes) == 1
    assert server.query("SELECT COUNT(*) FROM links WHERE email = 'nobody@example.com'") == [(1,)]


def test_limits_do_not_tell_either(own_server, contract):
    server = own_server("--auth-links-per-client", "0")
    Browser(server, contract).sign_in("known@example.com")
    for email, free in (("known@example.com", 4), ("nobody@example.com", 5)):
        client = Browser(server, contract)
        codes = [client.post("/auth/magic-link", {"email": email}).status_code for _ in range(7)]
        assert codes == [200] * free + [429] * (7 - free)


def test_five_for_a_client(own_server, contract):
    server = own_server("--auth-links-per-address", "0")
    client = Browser(server, contract)
    codes = [client.post("/auth/magic-link", {"email": f"a{n}@example.com"}).status_code for n in range(6)]
    assert codes == [200] * 5 + [429]
    refused = client.post("/auth/magic-link", {"email": "a@example.com"})
    assert refused.json()["error"] == "Too many requests" and 1 <= refused.json()["retry_after"] <= 900
    assert refused.headers["Retry-After"] == str(refused.json()["retry_after"])
    # A trusted proxy speaks for its clients.
    ok = client.post("/auth/magic-link", {"email": "a@example.com"}, headers={"X-Forwarded-For": "203.0.113.7"})
    assert ok.status_code == 200


def test_an_untrusted_peer_does_not_choose_its_address(own_server, contract):
    server = own_server("--trusted-proxies", "192.0.2.1", "--auth-links-per-address", "0")
    client = Browser(server, contract)
    codes = [client.post("/auth/magic-link", {"email": f"a{n}@example.com"},
                         headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(7)]
    assert codes == [200] * 5 + [429] * 2


def test_ipv6_counts_by_its_network(own_server, contract):
    server = own_server("--auth-links-per-address", "0")
    client = Browser(server, contract)
    codes = [client.post("/auth/magic-link", {"email": f"a{n}@example.com"},
                         headers={"X-Forwarded-For": f"2001:db8::{n + 1:x}"}).status_code for n in range(6)]
    assert codes == [200] * 5 + [429]


def test_a_remote_stranger_does_not_become_operator(own_server, contract):
    """With mail configured nobody reads the console; here only the address is at stake."""
    server = own_server("--auth-signup", "open", *UNLIMITED)
    boss = Browser(server, contract)
    assert boss.sign_in("boss@example.com")["user"]["operator"]
    assert not Browser(server, contract).sign_in("next@example.com")["user"]["operator"]


BAD_ADDRESSES = [
    "", "a", "@", "a@", "@b.example", "a@b", "a@b.example\r\nBcc: c@d.example", "a\n@b.example", "a@b.example\0",
    "a b@c.example", "a@b..example", ".a@b.example", "a.@b.example", "a..b@c.example", '"a b"@c.example',
    "a@[127.0.0.1]", "a@127.0.0.1", "<a@b.example>", "a@b.example,c@d.example", "a@-b.example", "ä@b.example",
    "a@bü.example", "a" * 65 + "@b.example", "a@" + "b" * 250 + ".example", "a@b.example>", "a@@b.example",
    {"a": 1}, ["a@b.example"], 7, True, None,
]


@pytest.mark.parametrize("email", BAD_ADDRESSES, ids=repr)
def test_bad_addresses(people, browser, email):
    answer = browser.post("/auth/magic-link", {"email": email})
    assert answer.status_code == 400
    assert answer.json()["error"] == ("Invalid payload" if email == "a@b.example\0" else "Invalid email address")


@pytest.mark.parametrize("text", ["' OR '1'='1", "%", "_", "'; DROP TABLE users; --", "<script>alert(1)</script>",
                                  "{{7*7}}", "${7*7}", "\u202e", "name\u0085x"])
def test_names_are_only_names(people, browser, text):
    browser.sign_in("names@example.com")
    made = browser.post("/api/projects", {"name": text})
    assert made.status_code == 200 and made.json()["project"]["name"] == text
    project = made.json()["project"]["id"]
    assert browser.get(f"/api/projects/{project}").json()["project"]["name"] == text
    assert browser.request("DELETE", f"/api/projects/{project}").status_code == 200


def test_no_open_redirect(people, browser):
    token = link_for(browser, "redirect@example.com")
    answer = browser.request("POST", "/auth/verify?next=https://evil.example&redirect=//evil.example",
                             data={"token": token, "next": "https://evil.example", "redirect": "//evil.example"},
                             headers={"X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 303 and answer.headers["Location"] == "/dashboard"


def test_host_does_not_get_into_mails(people, browser):
    before = len(mails(people, "host@example.com"))
    raw = (f"POST /auth/magic-link HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
           f"X-Forwarded-Host: evil.example\r\nContent-Length: 28\r\nConnection: close\r\n\r\n"
           '{"email":"host@example.com"}').encode()
    assert b"200 OK" in raw_exchange(people, raw)
    wait_for(lambda: mails(people, "host@example.com")[before:], "the mail")
    assert "evil.example" not in people.log_text()


# --- roles and other people's things ---


def bodies(path, method):
    return {"json": {"name": "x", "email": "x@example.com", "role": "viewer"}} if method in ("POST", "PATCH") else {}


def test_roles_on_every_route_of_a_project(people, browser, contract):
    """Each route × each role, and × nobody: the table says who may, and others do not get by."""
    owner = Browser(people, contract)
    owner.sign_in("owner@example.com")
    user = browser.sign_in("member@example.com")["user"]["id"]
    routes = [(path, method, permit) for path, method, kind, permit, _ in ROUTES if kind == "ROUTE_PROJECT"]
    assert len(routes) >= 7
    for role, level in [("", 0), *ROLES.items()]:
        for path, method, permit in routes:
            project = owner.post("/api/projects", {"name": "p"}).json()["project"]["id"]
            if role:
                set_role(people, project, user, role)
            answer = browser.request(method, fill(path, project), **bodies(path, method))
            may = level >= ROLES[LEAST[permit].lower()]
            if not role:
                assert answer.status_code == 404, (path, method)
            elif not may:
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (path, method, role)
            else:
                assert answer.status_code != 403 or answer.json()["code"] != "forbidden", (path, method, role)
                assert "among yours" not in answer.text, (path, method, role)
            owner.request("DELETE", f"/api/projects/{project}")


def test_roles_in_the_current_project(people, browser, contract):
    owner = Browser(people, contract)
    project = owner.sign_in("owner2@example.com")["project"]["id"]
    user = browser.sign_in("member2@example.com")["user"]["id"]
    set_role(people, project, user, "viewer")
    assert browser.post(f"/api/projects/{project}/switch").status_code == 200
    assert browser.get("/api/runs").status_code == 200 and browser.get("/api/keys").status_code == 200
    for path, body in (("/api/run", {"code": "print(1)", "lang": "python"}), ("/api/keys", {"name": "x"})):
        assert browser.post(path, body).status_code == 403
    set_role(people, project, user, "developer")
    assert browser.post("/api/run", {"code": "print(1)", "lang": "python"}).status_code == 200


def test_nobody_reaches_into_other_projects(people, browser, contract):
    owner = Browser(people, contract)
    project = owner.sign_in("rich@example.com")["project"]["id"]
    key = owner.post("/api/keys", {"name": "k"}).json()["id"]
    run = owner.post("/api/run", {"code": "print(1)", "lang": "python"}).json()["id"]
    session = owner.me()["session"]["id"]
    own = browser.sign_in("thief@example.com")["project"]["id"]
    for method, path in (
        ("GET", f"/api/projects/{project}"), ("POST", f"/api/projects/{project}/switch"),
        ("DELETE", f"/api/keys/{key}"), ("DELETE", f"/api/projects/{own}/keys/{key}"),
        ("GET", f"/api/run/{run}"), ("POST", f"/api/run/{run}/cancel"), ("DELETE", f"/auth/sessions/{session}"),
    ):
        assert browser.request(method, path).status_code == 404, path
    assert owner.get("/api/keys").json()["keys"][0]["is_active"] is True and owner.me()


def test_keys_are_no_persons(people, browser):
    browser.sign_in("k@example.com")
    key = browser.post("/api/keys", {"name": "k"}).json()["key"]
    headers = {"Authorization": f"Bearer {key}", "Cookie": None}
    for path, method, kind, _, _ in ROUTES:
        if kind in ("ROUTE_SESSION", "ROUTE_CURRENT", "ROUTE_PROJECT"):
            answer = browser.request(method, fill(path), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "session_required"), path


def test_without_anything(people, browser):
    for path, method, kind, _, _ in ROUTES:
        if kind != "ROUTE_OPEN":
            assert browser.request(method, fill(path), headers={"Cookie": None}).status_code == 401, path


def test_a_suspended_person_is_out(people, browser):
    import contextlib
    import sqlite3

    browser.sign_in("gone@example.com")
    with contextlib.closing(sqlite3.connect(people.folder / "docle.db", timeout=PATIENCE_S)) as database:
        database.execute("UPDATE users SET suspended_at = 1 WHERE email = 'gone@example.com'")
        database.commit()
    assert browser.get("/auth/me").status_code == 401
    before = len(mails(people, "gone@example.com"))
    browser.ask("gone@example.com")
    Browser(people, browser.contract).sign_in("first@example.com")
    assert len(mails(people, "gone@example.com")) == before


def test_tokens_are_not_logged(people, browser):
    browser.sign_in("log@example.com")
    browser.post("/api/keys", {"name": "k"})
    lines = [line for line in people.log_text().splitlines() if line.startswith("{")]
    assert not [line for line in lines if "ds_" in line or "dl_" in line or "db_" in line or "sk_live_" in line]
