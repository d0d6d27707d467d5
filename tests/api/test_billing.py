"""Money: what is billed, to whom, once; webhooks forged, repeated and in a wrong order; Stripe when it fails."""

import contextlib
import json
import threading
import time

import pytest
import requests

from accounts import Browser
import billing  # noqa: F401, first: it finds tests/stripe
from harness import PATIENCE_S, wait_for
from official import Official, OfficialError
from wire import signature_header


@pytest.fixture
def client(make_client):
    def make(opened, project="default"):
        return make_client(opened.server, opened.server.create_key(project)["key"])

    return make


def test_from_free_to_paid(shop, client):
    opened = shop()
    api = client(opened)
    api.run("print(1)")  # free, and stays so
    billing = api.get("/api/billing").json()
    assert (billing["plan"], billing["billing"], billing["subscribed"]) == ("free", "stripe", False)
    assert opened.sign_in().post("/api/billing/portal").status_code == 409
    sub = opened.subscribe()
    customer, = opened.stripe.account.customers.values()
    assert sub["metadata"]["project_id"] == customer["metadata"]["project_id"]
    assert opened.owner.post("/api/billing/checkout").status_code == 409
    assert opened.owner.post("/api/billing/portal").json()["url"].startswith("https://billing.invalid/")
    cpu = sum(api.run("sum(range(10**6))")["usage"]["cpuMs"] for _ in range(5))
    assert api.run("import sys; sys.exit(3)")["outcome"] == "error"
    opened.settled()
    runs, cpu_ms = opened.metered()
    assert runs == 6 and cpu_ms >= cpu
    assert opened.server.query("SELECT COUNT(*) FROM meter_batch_runs") == [(6,)]
    billing = api.get("/api/billing").json()
    assert (billing["plan"], billing["status"], billing["usage"]["billedRuns"]) == ("pro", "active", 6)
    assert billing["usage"]["runs"] in (6, 7)  # the free one may have ended in the second before
    for event in opened.stripe.requests:
        if event.path == "/v1/billing/meter_events":
            assert event.headers["Idempotency-Key"] == event.form["identifier"]
    session = next(r for r in opened.stripe.requests if r.path == "/v1/checkout/sessions")
    assert session.form["success_url"] == "https://docle.invalid/dashboard/billing?success=true"
    assert session.form["cancel_url"] == "https://docle.invalid/dashboard/billing?cancelled=true"
    assert not any("quantity" in str(item) for item in session.form["line_items"].values())


def test_what_costs_nothing(shop, client):
    opened = shop()
    api = client(opened)
    opened.subscribe()
    test_key = opened.server.create_key("default", "--test")
    answer = requests.post(opened.server.url("/api/run"), json={"code": "print(1)", "lang": "python"},
                           headers={"Authorization": f"Bearer {test_key['key']}"}, timeout=PATIENCE_S)
    assert answer.json()["outcome"] == "ok"
    assert api.post("/api/run", {"lang": "python"}).status_code == 400
    api.run("print(1)", store=False)  # kept or not: it ran
    opened.settled()
    wait_for(lambda: opened.metered()[0] == 1, "one run is told")


def test_a_month_ends(shop, client):
    opened = shop(cpu=False)
    api = client(opened)
    sub = opened.subscribe()
    account = opened.stripe.account
    for _ in range(3):
        api.run("print(1)")
    opened.settled()
    account.advance(sub["items"]["data"][0]["current_period_end"] - account.now() + 1)
    wait_for(lambda: opened.owner.get("/api/invoices").json()["invoices"], "the draft shows")
    customer, = account.customers.values()
    customer["delinquent"] = True
    account.advance(7 * 3600)
    failed = wait_for(lambda: next((i for i in opened.owner.get("/api/invoices").json()["invoices"] if i["failedAt"]), None),
                      "the failed payment shows")
    assert (failed["status"], failed["paidAt"], failed["amountPaid"]) == ("open", None, 0)
    account.set_status(sub["id"], "past_due")
    wait_for(lambda: api.get("/api/billing").json()["pastDueSince"], "the banner")
    assert opened.plan() == "pro"
    account.pay(failed["id"])
    account.set_status(sub["id"], "active")
    paid = wait_for(lambda: next((i for i in opened.owner.get("/api/invoices").json()["invoices"] if i["paidAt"]), None),
                    "the payment shows")
    assert (paid["id"], paid["status"]) == (failed["id"], "paid")
    assert [i["id"] for i in opened.owner.get("/api/billing").json()["invoices"]] == [paid["id"]]
    assert api.get("/api/billing").json()["invoices"] is None  # not for keys
    assert opened.owner.get("/api/invoices?limit=x").status_code == 400


@pytest.mark.parametrize("status,plan", [("trialing", "pro"), ("unpaid", "free"), ("incomplete", "free"),
                                         ("incomplete_expired", "free"), ("paused", "free"), ("canceled", "free")])
def test_states(shop, client, status, plan):
    opened = shop()
    api = client(opened)
    sub = opened.subscribe()
    opened.stripe.account.set_status(sub["id"], status)
    wait_for(lambda: api.get("/api/billing").json()["status"] == status, "the state shows")
    assert opened.plan() == plan
    api.run("print(1)")
    opened.settled()
    assert opened.metered()[0] == (1 if plan == "pro" else 0)


def post_event(opened, body, header):
    return requests.post(opened.server.url("/api/stripe/webhook"), data=body, timeout=PATIENCE_S,
                         headers={"Content-Type": "application/json",
                                  **({} if header is None else {"Stripe-Signature": header})})


def test_forged_webhooks(shop, client):
    opened = shop()
    client(opened)
    now = int(time.time())
    body = json.dumps({"id": "evt_1", "type": "customer.subscription.updated",
                       "data": {"object": {"id": "sub_forged", "status": "active"}}}).encode()
    good = signature_header(["whsec_standin"], body, now)
    for header in (None, "", "t=1", "v1=" + "0" * 64, f"t={now}", f"t={now},v1=", good.replace("v1=", "v0="),
                   good + f",t={now}", signature_header(["whsec_other"], body, now), good.upper(),
                   signature_header(["whsec_standin"], body, now - 301),
                   signature_header(["whsec_standin"], body, now + 310), f"t={now}9,{good.split(',')[1]}",
                   f"t=-{now},{good.split(',')[1]}", "x" * 5000):
        answer = post_event(opened, body, header)
        assert answer.status_code == 400 and answer.json()["code"] == "invalid_signature", header
    assert post_event(opened, body + b" ", good).status_code == 400
    for odd in (b"", b"{", b"[]", b'{"id":1,"type":2}', b'{"id":"a/b","type":"x"}', b"\xff\xfe"):
        answer = post_event(opened, odd, signature_header(["whsec_standin"], odd, now))
        assert answer.status_code == 400, odd
    big = b" " * (1 << 20) + b"{}"
    assert post_event(opened, big, signature_header(["whsec_standin"], big, now)).status_code == 413
    # A leaked secret alone buys nothing: the object is read from Stripe.
    assert post_event(opened, body, good).json() == {"received": True}
    wait_for(lambda: opened.server.query("SELECT handled_at FROM stripe_events")[0][0], "it is handled")
    assert opened.plan() == "free"
    assert requests.get(opened.server.url("/api/stripe/webhook"), timeout=PATIENCE_S).status_code == 405


def test_two_secrets(shop, client, tmp_path):
    (tmp_path / "old").write_text("whsec_before\n")
    opened = shop("--billing-webhook-secret-old", str(tmp_path / "old"))
    client(opened)
    for secret in ("whsec_standin", "whsec_before"):
        body = json.dumps({"id": f"evt_{secret}", "type": "charge.succeeded"}).encode()
        now = int(time.time())
        assert post_event(opened, body, signature_header([secret], body, now)).status_code == 200
        assert post_event(opened, body, signature_header(["whsec_x", secret], body, now)).status_code == 200


def test_webhooks_repeated_and_in_any_order(shop, client):
    opened = shop()
    opened.stripe.automatic = False
    opened.sign_in()
    session = opened.owner.post("/api/billing/checkout").json()["url"].rsplit("/", 1)[1]
    account = opened.stripe.account
    sub = account.complete_checkout(session)
    account.set_status(sub["id"], "past_due")
    account.set_status(sub["id"], "canceled")
    events = list(opened.stripe.outbox)
    opened.stripe.outbox.clear()
    for event in [*reversed(events), *events, *events]:
        assert opened.stripe.deliver(event) == 200
    wait_for(lambda: opened.server.query("SELECT COUNT(*) FROM stripe_events WHERE handled_at IS NULL") == [(0,)],
             "all are handled")
    assert opened.plan() == "free"  # what Stripe says now, whatever came last
    (count,), = opened.server.query("SELECT COUNT(*) FROM stripe_events")
    assert count == len({e["id"] for e in events if not e["type"].startswith("customer.created")})


def test_without_webhooks(shop):
    """They never arrive; the list of events is read instead."""
    opened = shop()
    opened.stripe.webhook_url = None
    session = opened.sign_in().post("/api/billing/checkout").json()["url"].rsplit("/", 1)[1]
    opened.stripe.account.complete_checkout(session)
    assert opened.server.stop() == 0
    opened.server.start()
    wait_for(lambda: opened.plan() == "pro", "the subscription is found")
    (once,), = opened.server.query("SELECT COUNT(*) FROM stripe_events")
    assert once == 2


def test_one_customer_however_many_ask(shop, client):
    opened = shop()
    opened.sign_in()
    links = []
    threads = [threading.Thread(target=lambda: links.append(opened.owner.post("/api/billing/checkout").json()["url"]))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(links)) == 8 and len(opened.stripe.account.customers) == 1


@pytest.mark.parametrize("kind", ["drop", "drop_done", "429", "409", "500", "500_done"])
def test_stripe_fails(shop, client, kind):
    """Half of all usage goes wrong in this way for a while: each run counts once all the same."""
    opened = shop()
    api = client(opened)
    opened.subscribe()
    opened.stripe.fault(kind, "meter_events", count=6)
    for _ in range(4):
        api.run("print(1)")
    opened.settled()
    assert opened.metered()[0] == 4
    assert opened.server.query("SELECT COUNT(*) FROM meter_events WHERE state <> 'acked'") == [(0,)]


def test_refused_for_good(shop, client):
    """What Stripe will never take stays visible and does not hold up the rest."""
    opened = shop()
    api = client(opened)
    opened.subscribe()
    meter = next(m for m in opened.stripe.account.meters.values() if m["event_name"] == "docle_cpu_ms")
    meter["status"] = "inactive"
    api.run("sum(range(10**6))")
    opened.settled()
    assert opened.metered()[0] == 1
    assert opened.server.query("SELECT meter FROM meter_events WHERE state = 'dead'") == [("cpu_ms",)]
    assert api.get("/api/billing").json()["metering"]["refused"] == 1
    assert "No active meter" in opened.server.log_text()


def test_no_link_without_stripe(shop, client):
    opened = shop()
    opened.sign_in()
    opened.stripe.fault("500", "customers", count=9)
    answer = opened.owner.post("/api/billing/checkout")
    assert answer.status_code == 503 and answer.headers["Retry-After"]


def test_secrets_by_file(shop, client, tmp_path):
    """Each of Stripe's secrets as *_FILE: what is in the file is what is used."""
    env = {}
    for name, secret in (("STRIPE_SECRET_KEY", "sk_test_docle"), ("STRIPE_WEBHOOK_SECRET", "whsec_standin"),
                         ("STRIPE_METER_WEBHOOK_SECRET", "whsec_meter")):
        (tmp_path / name).write_text(secret + "\n")
        env |= {name: "", f"{name}_FILE": str(tmp_path / name)}
    opened = shop(env=env)
    client(opened)
    opened.subscribe()
    body = json.dumps({"id": "evt_1", "type": "charge.succeeded"}).encode()
    for secret in ("whsec_standin", "whsec_meter"):
        assert post_event(opened, body, signature_header([secret], body, int(time.time()))).status_code == 200
    said = opened.server.docle("config").stdout + opened.server.log_text()
    assert not any(secret in said for secret in ("sk_test_docle", "whsec_"))


def test_off(own_server, contract, make_client):
    server = own_server("--auth-signup", "open")
    api = make_client(server, server.create_key()["key"])
    owner = Browser(server, contract)
    owner.sign_in("owner@example.com")
    assert api.get("/api/billing").json()["billing"] == "off"
    assert api.post("/api/stripe/webhook", {}).status_code == 400
    for path in ("/api/billing/checkout", "/api/billing/portal"):
        assert owner.post(path).json()["code"] == "billing_off"
        assert api.post(path).status_code in (401, 403)  # not for keys
    assert owner.get("/api/invoices").json() == {"invoices": []}


# ---- the wire ----

def pairs(value, name=""):
    """A parsed form as sorted (name, value)."""
    if not isinstance(value, dict):
        return [(name, value)]
    return sorted(pair for key, inner in value.items() for pair in pairs(inner, f"{name}[{key}]" if name else key))


def told(request):
    kept = ("Content-Type", "Stripe-Version", "Authorization", "Idempotency-Key", "Accept")
    return (request.method, request.path, pairs(request.form), request.query,
            {name: request.headers.get(name) for name in kept})


def test_requests_are_those_of_stripes_client(shop, client):
    """The official client is asked for the same things: what reaches Stripe must be the same."""
    opened = shop()
    api = client(opened)
    sub = opened.subscribe()
    opened.owner.post("/api/billing/portal")
    api.run("print(1)")
    opened.settled()
    (project,), = opened.server.query("SELECT id FROM projects")
    customer = sub["customer"]
    ours = list(opened.stripe.requests)
    event = next(r for r in ours if r.path == "/v1/billing/meter_events" and r.form["event_name"] == "docle_runs")
    checkout, portal, made = (next(r for r in ours if r.path == path) for path in (
        "/v1/checkout/sessions", "/v1/billing_portal/sessions", "/v1/customers"))
    read = next(r for r in ours if r.method == "GET" and r.path.startswith("/v1/subscriptions/"))
    home = "https://docle.invalid/dashboard/billing"
    official = Official(opened.stripe.url)
    expected = []

    def ask(call, *arguments):
        with contextlib.suppress(OfficialError):  # the identifier is there already
            official(call, *arguments)
        expected.append(opened.stripe.requests[-1])

    try:
        ask("customers.create", {"metadata": {"project_id": project}}, {"idempotencyKey": f"cust:{project}"})
        ask("checkout.sessions.create", {
            "mode": "subscription", "customer": customer, "client_reference_id": project,
            "line_items": [{"price": price} for price in opened.prices],
            "subscription_data": {"metadata": {"project_id": project}}, "metadata": {"project_id": project},
            "success_url": f"{home}?success=true", "cancel_url": f"{home}?cancelled=true"},
            {"idempotencyKey": checkout.headers["Idempotency-Key"]})
        ask("billingPortal.sessions.create", {"customer": customer, "return_url": home},
            {"idempotencyKey": portal.headers["Idempotency-Key"]})
        ask("billing.meterEvents.create", {
            "event_name": "docle_runs", "identifier": event.form["identifier"],
            "timestamp": int(event.form["timestamp"]), "payload": {"stripe_customer_id": customer, "value": "1"}},
            {"idempotencyKey": event.form["identifier"]})
        ask("subscriptions.retrieve", sub["id"])
    finally:
        official.close()
    for mine, theirs in zip((made, checkout, portal, event, read), expected):
        assert told(mine)[:4] == told(theirs)[:4]
        mine, theirs = told(mine)[4], told(theirs)[4]
        if mine["Content-Type"] is None:  # the client names a type for GET as well, which has no body
            theirs["Content-Type"] = None
        assert mine == theirs
