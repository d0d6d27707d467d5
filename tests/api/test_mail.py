"""Mails as they leave: to a real SMTP server, read by Python's own parser; and to what Resend checks."""

import email
import email.policy
import http.server
import json
import re
import socket
import threading

import pytest
from aiosmtpd.controller import Controller

from accounts import LINK, Browser
from harness import PATIENCE_S, wait_for

FROM = "Döcle \"quoted\" <no-reply@mail.example>"


class Inbox:
    """What an SMTP server was given; answers are changed by the tests."""

    def __init__(self):
        self.messages, self.answers = [], []

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(envelope)
        return self.answers.pop(0) if self.answers else "250 OK"


@pytest.fixture
def smtp():
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    inbox.port = controller.port
    yield inbox
    controller.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Resend:
    """Takes what POST /emails of Resend takes, and says no as it does."""

    def __init__(self):
        self.mails, self.statuses, self.refused = [], [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.judge(self.path, self.headers, body)
                answer = b'{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}' if status == 200 else b'{"message":"no"}'
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def judge(self, path, headers, body):
        if path != "/emails" or not headers.get("User-Agent"):
            return self.refuse("path or agent", 403)
        if headers.get("Authorization") != "Bearer re_secret_123":
            return self.refuse("key", 401)
        if headers.get("Content-Type") != "application/json":
            return self.refuse("type", 415)
        mail = json.loads(body)
        sender = re.fullmatch(r"(?:[^<>]+ <)?[^<>@\s]+@[^<>@\s]+>?", mail.get("from", ""))
        if not sender or not mail.get("subject") or not isinstance(mail.get("to"), list) or set(mail) > {
            "from", "to", "subject", "html", "text"
        }:
            return self.refuse("fields", 422)
        if self.statuses:
            return self.statuses.pop(0)
        self.mails.append(mail)
        return 200

    def refuse(self, why, status):
        self.refused.append(why)
        return status


@pytest.fixture
def resend():
    made = Resend()
    yield made
    made.server.shutdown()
    made.server.server_close()


def smtp_flags(smtp):
    return ("--auth-signup", "open", "--auth-operators", "boss@example.com", "--mail-from", FROM,
            "--smtp-url", f"smtp://127.0.0.1:{smtp.port}", "--smtp-plain", "yes")


def read(envelope):
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


def test_by_smtp(own_server, contract, smtp):
    server = own_server(*smtp_flags(smtp), "--app-name", "Dö<b>cle", "--app-url", "https://docle.example.com")
    client = Browser(server, contract, browser=False)
    client.ask("boss@example.com")
    wait_for(lambda: smtp.messages, "the mail")
    envelope = smtp.messages[0]
    assert envelope.mail_from == "no-reply@mail.example" and envelope.rcpt_tos == ["boss@example.com"]
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998 and b"\n" not in envelope.content.replace(b"\r\n", b"")
    mail = read(envelope)
    assert not mail.defects
    assert mail["To"] == "boss@example.com" and mail["Subject"] == "Sign in to Dö<b>cle"
    assert mail["From"].addresses[0].addr_spec == "no-reply@mail.example"
    assert mail["From"].addresses[0].display_name == 'Döcle "quoted'
    assert mail["Date"].datetime and mail["Message-ID"] and mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
    assert "boss@example.com" in text and "<b>" not in html and "&lt;b&gt;" in html
    token = LINK.search(text)[1]
    assert f"https://docle.example.com/auth/verify?token={token}" in text and token in html
    assert client.post("/auth/verify", {"token": token}).json()["user"]["operator"] is True
    assert "auth/verify" not in server.log_text()


def test_a_mail_is_tried_again(own_server, contract, smtp):
    """At least once: a mail server that is busy gets it later, with a link that works."""
    smtp.answers = ["451 later"]
    server = own_server(*smtp_flags(smtp))
    client = Browser(server, contract, browser=False)
    client.ask("boss@example.com")
    wait_for(lambda: len(smtp.messages) >= 2, "the second attempt", seconds=max(PATIENCE_S, 60))
    tokens = [LINK.search(read(envelope).get_body(("plain",)).get_content())[1] for envelope in smtp.messages]
    assert tokens[0] != tokens[1]
    assert client.post("/auth/verify", {"token": tokens[1]}).status_code == 200
    assert client.post("/auth/verify", {"token": tokens[0]}).status_code == 403
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")


def test_a_refusal_is_final_and_tells_nobody(own_server, contract, smtp):
    smtp.answers = ["550 no such mailbox"]
    server = own_server(*smtp_flags(smtp))
    answer = Browser(server, contract).post("/auth/magic-link", {"email": "boss@example.com"})
    assert answer.status_code == 200
    wait_for(lambda: "it is given up" in server.log_text(), "the refusal is logged")
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")
    assert "dl_" not in server.log_text()


def test_without_a_mail_server(own_server, contract):
    server = own_server("--mail-from", "a@b.example", "--smtp-url", f"smtp://127.0.0.1:{free_port()}",
                        "--smtp-plain", "yes", "--auth-operators", "boss@example.com")
    known = Browser(server, contract).post("/auth/magic-link", {"email": "boss@example.com"})
    unknown = Browser(server, contract).post("/auth/magic-link", {"email": "other@example.com"},
                                              headers={"X-Forwarded-For": "203.0.113.9"})
    assert known.status_code == unknown.status_code == 200 and set(known.json()) == set(unknown.json())
    wait_for(lambda: "it is tried again" in server.log_text(), "the failure is logged")
    wait_for(lambda: server.query("SELECT recipient FROM outbox") == [("boss@example.com",)], "the other one is dropped")


def test_plain_smtp_needs_leave(own_server, contract, smtp):
    """Without STARTTLS nothing is sent, unless the operator says so."""
    flags = [flag for flag in smtp_flags(smtp) if flag not in ("--smtp-plain", "yes")]
    server = own_server(*flags)
    Browser(server, contract).ask("boss@example.com")
    wait_for(lambda: "could not be sent" in server.log_text(), "the failure is logged")
    assert not smtp.messages


def test_the_outbox_outlives_the_server(own_server, contract, smtp):
    port = smtp.port
    server = own_server("--mail-from", "a@b.example", "--smtp-url", f"smtp://127.0.0.1:{free_port()}",
                        "--smtp-plain", "yes", "--auth-operators", "boss@example.com")
    Browser(server, contract, browser=False).ask("boss@example.com")
    wait_for(lambda: "it is tried again" in server.log_text(), "the failure is logged")
    server.stop(9)
    server.flags = (*server.flags[:3], f"smtp://127.0.0.1:{port}", *server.flags[4:])
    server.start()
    wait_for(lambda: smtp.messages, "the mail", seconds=max(PATIENCE_S, 60))


def test_by_resend(own_server, contract, resend):
    resend.statuses = [500]
    server = own_server("--resend-url", resend.url, "--auth-operators", "boss@example.com",
                        env={"RESEND_API_KEY": "re_secret_123", "EMAIL_FROM": "Docle <no-reply@mail.example>"})
    client = Browser(server, contract, browser=False)
    client.ask("boss@example.com")
    wait_for(lambda: resend.mails, "the mail", seconds=max(PATIENCE_S, 60))
    mail = resend.mails[0]
    assert mail["from"] == "Docle <no-reply@mail.example>" and mail["to"] == ["boss@example.com"]
    assert client.post("/auth/verify", {"token": LINK.search(mail["text"])[1]}).status_code == 200
    assert not resend.refused and "re_secret" not in server.log_text()


def test_a_wrong_key_of_resend_is_no_end(own_server, contract, resend):
    server = own_server("--resend-url", resend.url, "--auth-operators", "boss@example.com",
                        env={"RESEND_API_KEY": "re_wrong", "EMAIL_FROM": "a@b.example"})
    Browser(server, contract).ask("boss@example.com")
    wait_for(lambda: "status 401" in server.log_text(), "the failure is logged")
    assert server.query("SELECT COUNT(*) FROM outbox") == [(1,)] and "re_wrong" not in server.log_text()


def test_a_stranger_does_not_become_operator_by_being_first(own_server, contract, smtp):
    """Mails leave, so nobody needs to read the console: who asks from elsewhere must be named."""
    server = own_server("--mail-from", "a@b.example", "--smtp-url", f"smtp://127.0.0.1:{smtp.port}",
                        "--smtp-plain", "yes")
    far = Browser(server, contract, browser=False)
    far.headers["X-Forwarded-For"] = "203.0.113.9"
    far.ask("stranger@example.com")
    near = Browser(server, contract, browser=False)
    near.ask("owner@example.com")
    wait_for(lambda: smtp.messages, "the mail")
    assert [envelope.rcpt_tos for envelope in smtp.messages] == [["owner@example.com"]]


def test_settings_that_do_not_hang_together(own_server):
    for flags in (("--smtp-url", "smtp://localhost"), ("--smtp-url", "http://x", "--mail-from", "a@b.example"),
                  ("--smtp-url", "smtp://localhost", "--mail-from", "a@b.example\nBcc: c@d.example")):
        with pytest.raises(AssertionError, match="mail.from|smtp.url"):
            own_server(*flags)


def test_budgets_are_told_of(own_server, contract, make_client, smtp):
    """Owners and admins, once each, of the highest threshold; also when the server dies in between."""
    flags = (*smtp_flags(smtp), "--auth-links-per-client", "0", "--price-run", "1", "--app-name", "Docle",
             "--price-currency", "eur")
    server = own_server(*flags)
    people = {}
    for name in ("boss", "admin", "dev"):
        people[name] = Browser(server, contract, browser=False)
        people[name].ask(f"{name}@example.com")
        wait_for(lambda: [e for e in smtp.messages if e.rcpt_tos == [f"{name}@example.com"]], "the link")
        token = LINK.search(read(smtp.messages[-1]).get_body(("plain",)).get_content())[1]
        signed = people[name].post("/auth/verify", {"token": token}).json()
        people[name].headers["Authorization"] = f"Bearer {signed['sessionToken']}"
    project = people["boss"].get("/auth/me").json()["project"]["id"]
    for name, role in (("admin", "admin"), ("dev", "developer")):
        people["boss"].post(f"/api/projects/{project}/invitations", {"email": f"{name}@example.com", "role": role})
        wanted = people[name].get("/api/invitations").json()["invitations"][0]["id"]
        assert people[name].post(f"/api/invitations/{wanted}/accept").status_code == 200
    key = make_client(server, people["boss"].post("/api/keys", {"name": "<k>"}).json()["key"])

    def told():
        found = [(e.rcpt_tos[0], read(e)) for e in smtp.messages]
        return [(to, mail) for to, mail in found if "budget" in mail["Subject"]]

    server.docle("projects", "limits", project, "--budget", "4")
    smtp.answers = ["250 OK"] * 2 + ["451 later"] * 4  # invitations may be first: whatever is refused comes again
    for _ in range(3):
        key.run("print(1)")  # 3 of 4: 50 and 75 percent
    wait_for(lambda: server.query("SELECT COUNT(*) FROM budget_events WHERE sent_at IS NULL") == [(0,)], "they are taken",
             seconds=max(PATIENCE_S, 60))
    server.stop(9)
    smtp.answers = []
    server.start()
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "all mails have left",
             seconds=max(PATIENCE_S, 120))
    assert {to for to, _ in told()} == {"boss@example.com", "admin@example.com"}
    mail = [mail for _, mail in told() if mail["Subject"].startswith("75 percent")][-1]
    text, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
    assert "75 percent of its budget" in text and "3 eur of 4 eur" in text and "/dashboard" in text
    assert "75 percent of its budget" in html and "/dashboard" in html

    before = len(told())
    key.run("print(1)")
    wait_for(lambda: len(told()) >= before + 2, "the mails of 100 percent", seconds=max(PATIENCE_S, 60))
    key.run("print(1)")  # beyond: nothing more
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")
    last = told()[before:]
    assert sorted(to for to, _ in last) == ["admin@example.com", "boss@example.com"]
    assert all(mail["Subject"].startswith("100 percent") for _, mail in last)
    assert server.query("SELECT COUNT(*) FROM budget_events") == [(3,)]
