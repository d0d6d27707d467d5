"""Mails while settings change, and while a mail server hangs. Real servers on both ends."""

import asyncio
import email
import email.policy
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import threading

import pytest
from aiosmtpd.controller import Controller

from accounts import LINK, Browser
from harness import wait_for
from test_mail import resend  # noqa: F401, a fixture

FROM = "Docle <no-reply@mail.example>"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Inbox:
    """Keeps what comes. Mails to who is in `stuck` wait until they are let go."""

    def __init__(self):
        self.arrived, self.messages, self.stuck, self.waiting = [], [], set(), 0
        self.free = threading.Event()
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.controller.start()
        self.url = f"smtp://127.0.0.1:{self.controller.port}"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        self.arrived.append(to)
        if to in self.stuck:
            self.waiting += 1
            while not self.free.is_set():
                await asyncio.sleep(0.02)
            self.waiting -= 1
        self.messages.append((to, envelope.content))
        return "250 OK"

    def to(self, address):
        return [content for to, content in self.messages if to == address]

    def close(self):
        self.free.set()
        self.controller.stop()


@pytest.fixture
def inbox():
    opened = []

    def open_inbox():
        opened.append(Inbox())
        return opened[-1]

    yield open_inbox
    for each in opened:
        each.close()


@pytest.fixture
def folder():
    """One that the server gets into when it has given up root."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="docle-conf-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def settings(folder):
    file = folder / "docle.conf"

    def write(**sections):
        text = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
                       for name, keys in sections.items())
        file.write_text(text)
        file.chmod(0o644)
        return str(file)

    return write


OPEN = {"signup": "open", "links_per_client": "0", "links_per_address": "0"}


def reload(server):
    """HUP; what the server said since."""
    before = len(server.log_text())
    server.send_signal(signal.SIGHUP)

    def said():
        text = server.log_text()[before:]
        return text if "were read again" in text or "stay as they were" in text else None

    return wait_for(said, "the settings are read again")


def token_of(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    return LINK.search(message.get_body(("plain",)).get_content())[1], message


def test_the_next_mail_goes_to_the_new_server(own_server, contract, inbox, settings):
    one, two = inbox(), inbox()
    one.stuck = {"half@example.com"}
    path = settings(auth=OPEN, mail={"from": FROM}, smtp={"url": one.url, "plain": "yes"})
    server = own_server(env={"DOCLE_CONFIG": path})
    person = Browser(server, contract, browser=False)
    person.ask("first@example.com")
    wait_for(lambda: one.to("first@example.com"), "the mail by the old server")
    person.ask("half@example.com")
    wait_for(lambda: one.waiting, "half of a mail")

    settings(auth=OPEN, mail={"from": "Other <other@mail.example>"}, smtp={"url": two.url, "plain": "yes"},
             app={"name": "Renamed"})
    said = reload(server)
    assert f"smtp.url is now {two.url}" in said and "app.name is now Renamed" in said
    person.ask("second@example.com")
    wait_for(lambda: two.to("second@example.com"), "the mail by the new server")
    token, message = token_of(two.to("second@example.com")[0])
    assert message["From"] == "Other <other@mail.example>" and message["Subject"] == "Sign in to Renamed"
    assert person.post("/auth/verify", {"token": token}).status_code == 200
    assert not one.to("second@example.com")

    one.free.set()  # what had begun ends where it began: not lost, and not twice
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")
    assert (len(one.to("half@example.com")), len(two.to("half@example.com"))) == (1, 0)


def test_what_waits_goes_to_the_new_server(own_server, contract, inbox, settings):
    """A mail whose server was wrong leaves by the right one, at its next attempt."""
    path = settings(auth=OPEN, mail={"from": FROM}, smtp={"url": f"smtp://127.0.0.1:{free_port()}", "plain": "yes"})
    server = own_server(env={"DOCLE_CONFIG": path})
    Browser(server, contract, browser=False).ask("a@example.com")
    wait_for(lambda: "it is tried again" in server.log_text(), "the failure")
    right = inbox()
    settings(auth=OPEN, mail={"from": FROM}, smtp={"url": right.url, "plain": "yes"})
    reload(server)
    wait_for(lambda: right.to("a@example.com"), "the mail")
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")
    assert len(right.to("a@example.com")) == 1


@pytest.mark.parametrize("wrong", [
    {"smtp": {"url": "http://127.0.0.1", "plain": "yes"}, "mail": {"from": FROM}},
    {"smtp": {"url": "smtp://127.0.0.1"}, "mail": {"from": "nobody"}},
    {"mail": {"at_once": "0"}},
    {"mail": {"at_once": "33"}},
    {"mail": {"console": "no"}},
    {"auth": {"signup": "everybody"}},
    {"price": {"run": "a lot"}},
    {"nonsense": {"key": "1"}},
], ids=str)
def test_a_mistake_leaves_all_as_it_was(own_server, contract, inbox, settings, wrong):
    right = inbox()
    path = settings(auth=OPEN, mail={"from": FROM}, smtp={"url": right.url, "plain": "yes"})
    server = own_server(env={"DOCLE_CONFIG": path})
    settings(limits={"timeout_ms": "1000"}, **wrong)
    said = reload(server)
    assert "the settings stay as they were" in said and "is now" not in said
    Browser(server, contract, browser=False).ask("a@example.com")
    wait_for(lambda: right.to("a@example.com"), "the mail")


def test_limits_of_signing_in(own_server, contract, settings):
    path = settings(auth={**OPEN, "links_per_address": "1"})
    server = own_server(env={"DOCLE_CONFIG": path})
    person = Browser(server, contract)
    person.sign_in("a@example.com")  # the operator: from now on the console opens nothing
    assert person.post("/auth/magic-link", {"email": "a@example.com"}).status_code == 429
    settings(auth={**OPEN, "links_per_address": "2", "signup": "closed"}, server={"connections": "9"},
             app={"url": "https://elsewhere.example"})
    said = reload(server)
    assert "auth.links_per_address is now 2" in said and "auth.signup is now closed" in said
    for name in ("server.connections", "app.url"):
        assert f"{name} changed; it takes effect at the next start" in said
    person.ask("a@example.com")
    assert person.post("/auth/magic-link", {"email": "a@example.com"}).status_code == 429
    person.ask("stranger@example.com")
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the mail is dropped")
    reload(server)
    assert "Mail to stranger@example.com" not in server.log_text()
    assert server.log_text().count("server.connections changed") == 2  # said until it is true


def test_secrets(own_server, contract, settings, folder, resend):
    """A new key is taken from its file; a file that is out of reach by now leaves the old one."""
    secret = folder / "key"
    secret.write_text("re_wrong\n")
    secret.chmod(0o644)
    path = settings(auth=OPEN, mail={"from": FROM}, resend={"url": resend.url, "api_key_file": secret})
    server = own_server(env={"DOCLE_CONFIG": path})
    person = Browser(server, contract, browser=False)
    person.ask("a@example.com")
    wait_for(lambda: "status 401" in server.log_text(), "the wrong key is refused")
    secret.write_text("re_secret_123\n")
    assert "resend.api_key is changed" in reload(server)
    wait_for(lambda: resend.mails, "the mail")
    if os.geteuid() == 0:
        secret.chmod(0o600)
        assert "the file of resend.api_key is out of the server's reach" in reload(server)
        person.ask("b@example.com")
        wait_for(lambda: len(resend.mails) == 2, "the mail with the old key")
    assert "re_secret" not in server.log_text() and "re_wrong" not in server.log_text()


def test_a_slow_server_delays_nobody_else(own_server, contract, inbox):
    box = inbox()
    box.stuck = {"slow1@example.com", "slow2@example.com", "slow3@example.com"}
    server = own_server("--auth-signup", "open", "--auth-links-per-client", "0", "--mail-from", FROM,
                        "--smtp-url", box.url, "--smtp-plain", "yes", "--auth-links-per-address", "0")
    person = Browser(server, contract, browser=False)
    for name in sorted(box.stuck):
        person.ask(name)
    wait_for(lambda: box.waiting == 3, "three mails hang")
    for _ in range(3):
        person.ask("slow1@example.com")  # behind the one that hangs
    for i in range(10):
        person.ask(f"quick{i}@example.com")
    wait_for(lambda: len(box.messages) == 10, "ten mails by the place that is left")
    assert box.arrived.count("slow1@example.com") == 1  # never two at once to the same
    box.free.set()
    wait_for(lambda: server.query("SELECT COUNT(*) FROM outbox") == [(0,)], "the outbox is empty")
    for name in box.stuck | {f"quick{i}@example.com" for i in range(10)}:
        assert len(box.to(name)) == (4 if name == "slow1@example.com" else 1), name
    made = [row[0] for row in server.query("SELECT id FROM links WHERE email = 'slow1@example.com' ORDER BY id")]
    links = [server.query("SELECT link_id FROM link_tokens WHERE hash = ?", hashlib.sha256(
        token_of(content)[0].encode()).digest())[0][0] for content in box.to("slow1@example.com")]
    assert links == made  # in the order of asking


def test_a_full_house_waits(own_server, contract, inbox):
    """With one place the second mail waits for the first, and the server stops in time with it on the way."""
    box = inbox()
    box.stuck = {"slow@example.com"}
    server = own_server("--auth-signup", "open", "--mail-from", FROM, "--smtp-url", box.url, "--smtp-plain", "yes",
                        "--mail-at-once", "1")
    person = Browser(server, contract, browser=False)
    person.ask("slow@example.com")
    wait_for(lambda: box.waiting, "the first hangs")
    person.ask("next@example.com")
    assert not box.to("next@example.com")
    assert server.stop() == 0
    assert sorted(row[0] for row in server.query("SELECT recipient FROM outbox")) == ["next@example.com", "slow@example.com"]


def test_production_wants_a_way_out(own_server, contract):
    for flags in (("--environment", "production"), ("--mail-console", "no")):
        with pytest.raises(AssertionError, match="no way out for mails"):
            own_server(*flags)
    with pytest.raises(AssertionError, match="none of: development production"):
        own_server(env={"ENVIRONMENT": "staging"})
    server = own_server("--mail-console", "yes", env={"ENVIRONMENT": "production"})
    assert "app.url is no https:// address" in server.log_text()
    assert Browser(server, contract).sign_in("boss@example.com")["user"]["operator"]
    secure = own_server("--mail-console", "yes", "--app-url", "https://docle.example.com", env={"ENVIRONMENT": "production"})
    assert "app.url is no https" not in secure.log_text()
