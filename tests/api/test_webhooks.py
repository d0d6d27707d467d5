"""Webhooks of projects: what is sent, once for each threshold, signed, until the receiver has it."""

import collections
import concurrent.futures
import json
import signal

import pytest
import requests

from accounts import Browser
from harness import PATIENCE_S, wait_for
from webhook_receiver import Receiver, now, verify

OPEN = ("--webhooks-plain", "yes", "--webhooks-private", "127.0.0.0/8", "--auth-signup", "open")


@pytest.fixture
def receiver():
    made = []

    def make(*answers, **more):
        made.append(Receiver(*answers, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Owner:
    """Somebody with a project, and a webhook for it."""

    def __init__(self, server, contract, email="a@example.com"):
        self.server = server
        self.browser = Browser(server, contract)
        self.project = self.browser.sign_in(email)["project"]["id"]

    def ask(self, method, path="", body=None, status=200):
        answer = self.browser.request(method, f"/api/projects/{self.project}/webhook{path}", **({"json": body} if body else {}))
        assert answer.status_code == status, answer.text
        return answer.json()

    def set(self, url):
        return self.ask("PUT", body={"url": url})

    def last(self):
        return self.ask("GET")["webhook"]["last_delivery"]

    def key(self, **fields):
        answer = self.browser.post("/api/keys", {"name": "k", **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()


def run(server, key, **fields):
    body = {"code": "print(1)", "lang": "python", **fields}
    return requests.post(server.url("/api/run"), json=body, headers={"Authorization": key}, timeout=PATIENCE_S)


def test_life_of_a_webhook(own_server, contract, receiver):
    server = own_server(*OPEN)
    owner, hook = Owner(server, contract), receiver()
    assert owner.ask("GET") == {"webhook": None}
    owner.ask("DELETE", status=404)
    owner.ask("POST", "/test", status=404)
    owner.ask("POST", "/roll", status=404)
    made = owner.set(hook.url())
    secret = made["secret"]
    assert made["webhook"]["url"] == hook.url() and made["webhook"]["last_delivery"] is None
    assert "secret" not in owner.set(hook.url("/other")) and "secret" not in owner.ask("GET")
    event = owner.ask("POST", "/test")["event_id"]
    wait_for(lambda: hook.requests, "the event comes")
    ((path, headers, body),) = hook.requests
    assert path == "/other" and headers["Content-Type"] == "application/json"
    assert headers["Docle-Event-Id"] == event and json.loads(body)["id"] == event
    assert json.loads(body)["type"] == "webhook.test" and json.loads(body)["data"] == {}
    assert verify(secret, headers["Docle-Signature"], body, now())
    assert not verify(secret, headers["Docle-Signature"], body + b" ", now())
    assert not verify(secret, headers["Docle-Signature"], body, now() + 400)
    last = wait_for(lambda: (found := owner.last())["state"] == "delivered" and found, "it is noted")
    assert (last["event_id"], last["attempts"], last["status"], last["error"]) == (event, 1, 200, None)
    # A roll: both sign for a day.
    rolled = owner.ask("POST", "/roll")
    assert rolled["secret"] != secret and rolled["webhook"]["old_secret_until"]
    owner.ask("POST", "/test")
    wait_for(lambda: len(hook.requests) == 2, "the next one comes")
    _, headers, body = hook.requests[1]
    assert headers["Docle-Signature"].count("v1=") == 2
    assert all(verify(one, headers["Docle-Signature"], body, now()) for one in (secret, rolled["secret"]))
    owner.ask("DELETE")
    assert owner.ask("GET") == {"webhook": None}
    assert server.query("SELECT COUNT(*) FROM webhook_events") == [(0,)]
    audit = json.dumps(owner.browser.get(f"/api/projects/{owner.project}/audit").json())
    for action in ("create", "change", "roll", "test", "delete"):
        assert f"webhook.{action}" in audit
    assert "/hook" not in audit and "/other" not in audit and "dw_" not in audit
    assert "dw_" not in server.log_text() and "/hook" not in server.log_text()


def test_every_threshold_once(own_server, contract, receiver):
    """Of a key, the project and an end user, by many runs at once; a receiver that fails gets the same events again."""
    server = own_server(*OPEN, "--project-queued", "200")
    owner, hook = Owner(server, contract), receiver(500, "drop")
    secret = owner.set(hook.url())["secret"]
    key = owner.key(monthlyBudget=0.02)
    server.docle("projects", "limits", owner.project, "--budget", "0.04", "--user-budget", "0.01")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda _: run(server, key["key"], userContext={"id": 'u"1'}).status_code, range(40)))
    assert done == [200] * 40
    wait_for(lambda: len({event["id"] for event in hook.events()}) == 9, "nine events come")
    wait_for(lambda: owner.ask("GET")["webhook"]["pending"] == 0, "all are delivered")
    bodies = collections.defaultdict(set)
    for _, headers, body in hook.requests:
        assert verify(secret, headers["Docle-Signature"], body, now())
        bodies[headers["Docle-Event-Id"]].add(body)
    assert all(len(different) == 1 for different in bodies.values())
    assert len(hook.requests) >= 11  # nine, and two that failed
    told = {(e["data"]["budget"], e["data"]["subject"], e["data"]["threshold"]) for e in hook.events()}
    subjects = {"key": key["id"] if "id" in key else key["apiKey"]["id"], "project": owner.project, "user": 'u"1'}
    assert told == {(kind, subjects[kind], threshold) for kind in subjects for threshold in (50, 75, 100)}
    for event in hook.events():
        data = event["data"]
        assert event["type"] == "budget.threshold" and event["project_id"] == owner.project
        assert data["amount"] * 100 >= data["limit"] * data["threshold"] and data["currency"] == "usd"


@pytest.mark.parametrize("failure, says", [(500, "500"), (404, "404"), ("drop", ""), ("huge", "more than"), ("hang", "")])
def test_failures_are_shown_and_tried_again(own_server, contract, receiver, failure, says):
    server = own_server(*OPEN)
    owner, hook = Owner(server, contract), receiver(failure)
    owner.set(hook.url())
    event = owner.ask("POST", "/test")["event_id"]
    last = wait_for(lambda: (found := owner.last()) and found["error"] and found, "the failure is noted")
    assert (last["state"], last["attempts"]) == ("pending", 1) and says in last["error"] and last["next_attempt_at"]
    assert last["status"] == (failure if isinstance(failure, int) else None)
    wait_for(lambda: owner.last()["state"] == "delivered", "the next attempt succeeds")
    last = owner.last()
    assert (last["event_id"], last["attempts"], last["status"], last["error"]) == (event, 2, 200, None)
    assert [e["id"] for e in hook.events()] == [event] * 2


def test_a_receiver_that_hangs_holds_up_nobody_else(own_server, contract, receiver):
    server = own_server(*OPEN, "--auth-links-per-client", "0")
    dead = receiver(*["hang"] * 50)
    for i in range(12):
        slow = Owner(server, contract, f"slow{i}@example.com")
        slow.set(dead.url())
        for _ in range(10):
            slow.ask("POST", "/test")
    slow.ask("POST", "/test", status=409)
    good, hook = Owner(server, contract, "good@example.com"), receiver()
    good.set(hook.url())
    event = good.ask("POST", "/test")["event_id"]
    wait_for(lambda: hook.requests, "the event comes")
    assert hook.events()[0]["id"] == event


def test_nothing_is_lost_by_a_crash(own_server, contract, receiver):
    server = own_server(*OPEN)
    hook = receiver("hang", "hang")
    owner = Owner(server, contract)
    owner.set(hook.url())
    key = owner.key(monthlyBudget=0.002)["key"]
    assert run(server, key).status_code == 200
    wait_for(lambda: hook.requests, "an attempt is under way")
    server.stop(signal.SIGKILL)
    server.start()
    wait_for(lambda: len(hook.requests) == 2, "it is made again")
    server.stop(signal.SIGTERM)
    server.start()
    assert run(server, key).status_code == 200
    wait_for(lambda: len({e["id"] for e in hook.events()}) == 3, "all come")
    by_id = {e["id"]: e["data"]["threshold"] for e in hook.events()}
    assert sorted(by_id.values()) == [50, 75, 100]
    assert server.query("SELECT COUNT(*) FROM webhook_events") == [(3,)]


def test_who_may(own_server, contract, receiver):
    """Owners and admins; nobody else learns that there is one."""
    server = own_server(*OPEN, "--auth-links-per-client", "0")
    owner, stranger = Owner(server, contract), Owner(server, contract, "b@example.com")
    owner.set("https://hooks.example.com/x")
    path = f"/api/projects/{owner.project}/webhook"
    for method, more in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/roll"), ("POST", "/test")):
        body = {"json": {"url": "https://evil.example.com/"}} if method == "PUT" else {}
        assert stranger.browser.request(method, path + more, **body).status_code == 404
        key = owner.key()["key"] if method == "GET" else key
        assert requests.request(method, server.url(path + more), headers={"Authorization": key}, timeout=PATIENCE_S,
                                **body).status_code in (401, 403)
        if method != "GET":  # another site's page cannot
            headers = {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}
            assert owner.browser.request(method, path + more, headers=headers, **body).status_code == 403
    for role in ("developer", "viewer"):
        owner.browser.post(f"/api/projects/{owner.project}/invitations", {"email": f"{role}@example.com", "role": role})
        member = Browser(server, contract)
        member.sign_in(f"{role}@example.com")
        (invitation,) = member.get("/api/invitations").json()["invitations"]
        assert member.post(f"/api/invitations/{invitation['id']}/accept").status_code == 200
        assert member.get(path).status_code == 403
        assert member.post(path + "/test").status_code == 403
    assert owner.ask("GET")["webhook"]["url"] == "https://hooks.example.com/x"
