"""What strangers write into requests and names, and where it must not come out: headers, mails, links, other sites."""

import re
from email.header import decode_header, make_header

import pytest
import requests
from aiosmtpd.controller import Controller

from accounts import LINK, Browser
from harness import PATIENCE_S, Server, raw_exchange, wait_for
from test_mail import Inbox, free_port, read

UNLIMITED = ("--auth-links-per-client", "0", "--auth-links-per-address", "0", "--auth-invitations-per-address", "0")
HOME = "https://docle.example.com"
UNKNOWN = "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"
SPOOFED = {
    "Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Host": "evil.example", "X-Forwarded-Server": "evil.example",
    "X-Original-Url": "https://evil.example/", "X-Rewrite-Url": "/evil.example", "Forwarded": "host=evil.example;proto=https",
    "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "//evil.example", "Referer": "https://evil.example/",
}


@pytest.fixture(scope="module")
def inbox():
    made = Inbox()
    controller = Controller(made, hostname="127.0.0.1", port=free_port())
    controller.start()
    made.port = controller.port
    yield made
    controller.stop()


@pytest.fixture(scope="module")
def people(inbox):
    """Mails leave by SMTP here, and app.url is another site than the one that is asked."""
    server = Server("--auth-signup", "open", *UNLIMITED, "--auth-operators", "boss@example.com", "--app-url", HOME,
                    "--mail-from", "Docle <no-reply@mail.example>", "--smtp-url", f"smtp://127.0.0.1:{inbox.port}",
                    "--smtp-plain", "yes")
    server.start()
    server.create_key("default")
    yield server
    try:
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()


class MailedBrowser(Browser):
    """Reads its links from an inbox."""

    def __init__(self, server, contract, inbox):
        super().__init__(server, contract)
        self.headers["Origin"] = HOME
        self.inbox = inbox

    def sign_in(self, email):
        before = len(self.inbox.messages)
        self.ask(email)
        wait_for(lambda: [m for m in self.inbox.messages[before:] if m.rcpt_tos == [email]], "the mail")
        text = read(self.inbox.messages[-1]).get_body(("plain",)).get_content()
        assert self.confirm(LINK.search(text)[1]).status_code == 303
        return self.me()


@pytest.fixture
def signed_in(people, contract, inbox):
    def make(email):
        made = MailedBrowser(people, contract, inbox)
        made.info = made.sign_in(email)
        return made

    return make


# --- headers of answers ---


@pytest.mark.parametrize("text", ["a%0d%0aSet-Cookie:%20x=1", "a%0aX-Evil:%201", "%e5%98%8a%e5%98%8dX-Evil:1", "a%00b",
                                  "%c0%8d%c0%8aX-Evil:1", "a%c2%85X-Evil:1"])
def test_no_answer_is_split(people, text):
    """What a path, a query, a header or a name holds is never a line of an answer's head."""
    key = people.create_key("split")["key"]
    for path in (f"/{text}", f"/api/run/{text}", f"/api/runs?cursor={text}", f"/api/runs?outcome={text}", f"/auth/verify?token={text}",
                 f"/api/usage?period={text}&format=csv", f"/api/projects/{text}"):
        for accept in ("*/*", "text/html"):
            raw = (f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nAccept: {accept}\r\n"
                   "Connection: close\r\n\r\n").encode()
            head = raw_exchange(people, raw).split(b"\r\n\r\n", 1)[0].lower()
            assert b"\nset-cookie:" not in head and b"\nx-evil:" not in head and head.count(b"http/1.1 ") == 1, path


@pytest.mark.parametrize("name", ["Idempotency-Key", "Origin", "X-Request-Id", "User-Agent", "Accept", "X-Forwarded-For"])
def test_no_header_of_a_request_comes_back(people, name):
    """But the origin that a key allows, of which only host names and ports are taken."""
    key = people.create_key("echo", "--domains", "site.example")["key"]
    for value in ("evilmark\tx", "https://site.example/evilmark", "https://site.example evilmark", "evilmark" * 300):
        headers = {"Authorization": f"Bearer {key}", "Referer": "https://site.example/", name: value}
        answer = requests.post(people.url("/api/run"), json={}, headers=headers, timeout=PATIENCE_S)
        assert not [field for field in answer.headers.items() if "evilmark" in field[1]], answer.headers


@pytest.mark.parametrize("verb", ["DELETE", "PUT", "PATCH"])
def test_no_method_is_overridden(people, signed_in, verb):
    owner = signed_in("override@example.com")
    project = owner.info["project"]["id"]
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert owner.get(f"/api/projects/{project}?_method={verb}", headers={header: verb}).status_code == 200
    assert owner.get(f"/api/projects/{project}").status_code == 200


def test_pages_are_kept_out_of_frames_caches_and_referrers(people, contract, inbox):
    browser = MailedBrowser(people, contract, inbox)
    before = len(inbox.messages)
    browser.ask("framed@example.com")
    wait_for(lambda: inbox.messages[before:], "the mail")
    token = LINK.search(read(inbox.messages[before]).get_body(("plain",)).get_content())[1]
    for path in (f"/auth/verify?token={token}", "/auth/verify?token=dl_" + "0" * 64, "/auth/verify"):
        answer = browser.get(path, headers={"Accept": "text/html", "Origin": None, "Sec-Fetch-Site": "cross-site"})
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "form-action 'self'" in policy
        assert "unsafe" not in policy and answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Referrer-Policy"] == "no-referrer"
        # Nothing is loaded from anywhere, and no link leads away with the address, which holds the token.
        assert not re.search(r'(?:src|href|action)="(?!/|data:,")', answer.text) and not re.search(r'="//', answer.text)
    assert browser.confirm(token).status_code == 303


# --- links ---


def test_links_are_those_of_the_settings(people, contract, inbox):
    """Host and everything that proxies put beside it: never in a mail, a page or a redirect."""
    for name, value in SPOOFED.items():
        client = Browser(people, contract, browser=False)
        before = len(inbox.messages)
        answer = client.post("/auth/magic-link", {"email": "host@example.com"}, headers={name: value})
        assert answer.status_code == 200 and "evil" not in answer.text
        wait_for(lambda: inbox.messages[before:], "the mail")
        mail = read(inbox.messages[before])
        for kind in ("plain", "html"):
            text = mail.get_body((kind,)).get_content()
            assert "evil" not in text and f"{HOME}/auth/verify?token=dl_" in text, name
        token = LINK.search(mail.get_body(("plain",)).get_content())[1]
        page = client.get(f"/auth/verify?token={token}", headers={"Accept": "text/html", name: value})
        assert "evil" not in page.text and not [v for v in page.headers.values() if "evil" in v], name


def test_links_to_stripe_come_back_to_us(shop):
    opened = shop()
    opened.sign_in()
    for headers in ({"X-Forwarded-Host": "evil.example"}, {"Referer": "https://evil.example/"}, {"Forwarded": "host=evil.example"}):
        answer = opened.owner.post("/api/billing/checkout?success_url=https://evil.example&return_url=//evil.example",
                                   {"success_url": "https://evil.example", "return_url": "https://evil.example"}, headers=headers)
        assert answer.status_code == 200, answer.text
    for session in opened.stripe.account.sessions.values():
        for field in ("success_url", "cancel_url"):
            assert session[field].startswith("https://docle.invalid/dashboard/billing")


def test_a_tossed_cookie_asks_for_the_code(people, contract, inbox):
    """Whoever can set a cookie for us, from a sibling host, still does not confirm links in the victim's name."""
    browser = MailedBrowser(people, contract, inbox)
    before = len(inbox.messages)
    browser.ask("toss@example.com")
    wait_for(lambda: inbox.messages[before:], "the mail")
    token = LINK.search(read(inbox.messages[before]).get_body(("plain",)).get_content())[1]
    good = browser.cookies["docle_signin"]
    other = good[:-1] + ("0" if good[-1] != "0" else "1")
    for cookies in (f"docle_signin={other}; docle_signin={good}", f"docle_signin={good}; docle_signin={other}", f"docle_signin={other}"):
        answer = browser.request("POST", "/auth/verify", data={"token": token}, headers={"Cookie": cookies})
        assert answer.status_code == 200 and 'name="code"' in answer.text and "docle_session" not in browser.cookies
    assert browser.confirm(token).status_code == 303


# --- mails ---

NAMES = ["x\r\nBcc: evil@example.com", "x\nSubject: evil", "\u2028Bcc: evil", "x\u0085Bcc: evil", "<script>alert(1)</script>",
         "</p><a href='https://evil.example'>click</a>", "=?utf-8?q?evil?=", "\"><img src=x>", "{{7*7}}${7*7}%s%n", "\u202egpj.exe", "."]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_in_mails(people, signed_in, inbox, name):
    """An invitation carries the project's name, which anybody chooses, to anybody: as text alone."""
    owner = signed_in("inviter@example.com")
    made = owner.post("/api/projects", {"name": name})
    if "\r" in name or "\n" in name:
        assert made.status_code == 400
        return
    assert made.status_code == 200, made.text
    project = made.json()["project"]["id"]
    before = len(inbox.messages)
    assert owner.post(f"/api/projects/{project}/invitations", {"email": "asked@example.com", "role": "viewer"}).status_code == 200
    wait_for(lambda: inbox.messages[before:], "the mail")
    (envelope,) = inbox.messages[before:]
    assert envelope.rcpt_tos == ["asked@example.com"]
    head = envelope.content.split(b"\r\n\r\n", 1)[0]
    assert b"evil" not in head.lower() and head.isascii() and b"\n" not in head.replace(b"\r\n", b"")
    mail = read(envelope)
    assert not mail.defects and mail["To"] == "asked@example.com" and mail["Bcc"] is None and mail["Cc"] is None
    assert str(make_header(decode_header(mail["Subject"]))) == "An invitation to Docle"
    html = mail.get_body(("html",)).get_content()
    assert not re.search(r"<(script|img|a href='https://evil)", html) and re.findall(r'href="([^"]*)"', html) == [f"{HOME}/invitations"]
    owner.request("DELETE", f"/api/projects/{project}")


@pytest.mark.parametrize("email", ["a@b.example\r\nBcc: c@d.example", "a@b.example\nSubject: x", "a@b.example,c@d.example",
                                   "a@b.example>\r\nRCPT TO:<c@d.example", "a@b.example%0d%0aBcc:c@d.example", "a@b.example\0"])
def test_addresses_of_invitations(people, signed_in, inbox, email):
    owner = signed_in("addresses@example.com")
    before = len(inbox.messages)
    path = f"/api/projects/{owner.info['project']['id']}/invitations"
    assert owner.post(path, {"email": email, "role": "viewer"}).status_code == 400
    assert owner.get(path).json()["invitations"] == [] and len(inbox.messages) == before


# --- what answers give away ---


def test_what_is_another_s_and_what_is_nowhere_is_answered_the_same(people, signed_in):
    """Ids of other projects, and whether an invited address has an account."""
    owner, stranger = signed_in("first-owner@example.com"), signed_in("second-owner@example.com")
    project, own = owner.info["project"]["id"], stranger.info["project"]["id"]
    key = owner.post("/api/keys", {"name": "k"}).json()["id"]
    run = owner.post("/api/run", {"code": "print(1)", "lang": "python"}).json()["id"]
    session = owner.me()["session"]["id"]

    def shape(method, path):
        answer = stranger.request(method, path)
        body = {**answer.json(), "requestId": ""}
        return answer.status_code, body, sorted(answer.headers)

    for method, path, one in (
        ("GET", "/api/projects/{}", project), ("DELETE", "/api/projects/{}", project), ("POST", "/api/projects/{}/switch", project),
        ("GET", "/api/run/{}", run), ("POST", "/api/run/{}/cancel", run), ("DELETE", "/api/keys/{}", key),
        ("DELETE", f"/api/projects/{own}/keys/{{}}", key), ("DELETE", "/auth/sessions/{}", session),
        ("DELETE", f"/api/projects/{own}/members/{{}}", owner.info["user"]["id"]), ("POST", "/api/invitations/{}/accept", project),
    ):
        assert shape(method, path.format(one)) == shape(method, path.format(UNKNOWN)), path
    answers = [stranger.post(f"/api/projects/{own}/invitations", {"email": email, "role": "viewer"})
               for email in ("first-owner@example.com", "nobody-at-all@example.com")]
    assert {answer.status_code for answer in answers} == {200}
    assert len({tuple(sorted(answer.json())) for answer in answers}) == 1
