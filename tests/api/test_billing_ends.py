"""The end of projects that pay, of patience, and of periods: nothing goes on, is lost or counts twice."""

import json
import signal

import pytest

import billing  # noqa: F401, first: it finds tests/stripe
from harness import PATIENCE_S, wait_for
from objects import DAY

HOUR = 3600


@pytest.fixture
def client(make_client):
    return lambda opened, project="default": make_client(opened.server, opened.server.create_key(project)["key"])


def project_of(opened):
    (project,), = opened.server.query("SELECT id FROM projects")
    return project


def status_of(opened):
    return dict(line.rsplit(None, 1) for line in opened.cli("status").stdout.splitlines()
                if not line.startswith(" "))


def ended(opened, sub):
    wait_for(lambda: sub["status"] == "canceled", "the subscription ends")
    wait_for(lambda: opened.server.query("SELECT COUNT(*) FROM cancels WHERE done_at IS NULL") == [(0,)], "it is noted")


# ---- projects that are deleted ----

def test_a_deleted_project_ends_its_subscription_after_its_usage(shop, client):
    opened = shop("--billing-batch-seconds", "3600", cpu=False)
    api = client(opened)
    sub = opened.subscribe()
    project = project_of(opened)
    for _ in range(3):
        api.run("print(1)")
    opened.stripe.fault("500", "meter_events", count=2)
    assert opened.owner.request("DELETE", f"/api/projects/{project}").status_code == 200
    ended(opened, sub)
    assert opened.metered()[0] == 3
    lines = [f"{r.method} {r.path}" for r in opened.stripe.requests]
    assert lines.index(f"DELETE /v1/subscriptions/{sub['id']}") > max(
        i for i, line in enumerate(lines) if line == "POST /v1/billing/meter_events")
    asked, = (r for r in opened.stripe.requests if r.method == "DELETE")
    assert sorted(asked.query.split("&")) == ["invoice_now=true", "prorate=false"]
    invoice, = opened.stripe.account.invoices.values()  # the last one bills what was used
    (price, start, end), = invoice["_lines"]
    assert opened.stripe.account.counted(price["recurring"]["meter"], sub["customer"], start, end, late=True) == 3
    wait_for(lambda: opened.server.query("SELECT project_id FROM invoices") == [(project,)], "the invoice is kept")
    assert opened.server.query("SELECT status FROM billing_accounts") == [("canceled",)]
    assert opened.server.query("SELECT target FROM audit WHERE action = 'subscription.cancel'") == [(sub["id"],)]
    assert opened.server.query("SELECT COUNT(*) FROM meter_pending") == [(0,)]


def test_a_deleted_account_ends_it_too(shop, client):
    opened = shop()
    client(opened)
    sub = opened.subscribe()
    opened.server.docle("users", "delete", "owner@example.com")
    ended(opened, sub)
    assert opened.server.query("SELECT COUNT(*) FROM projects") == [(0,)]


def test_it_ends_however_long_stripe_is_away(shop, client):
    """Durable: killed and started again, it is still to be done, everybody can see it, and it is done once."""
    opened = shop()
    client(opened)
    sub = opened.subscribe()
    opened.stripe.fault("500", "DELETE", count=10**6)
    opened.owner.request("DELETE", f"/api/projects/{project_of(opened)}")
    wait_for(lambda: opened.server.query("SELECT 1 FROM cancels WHERE attempts > 0"), "it was tried")
    shown = opened.cli("status").stdout
    assert f"  {sub['id']} of deleted project" in shown and "500" in shown and status_of(opened)["to cancel"] == "1"
    opened.server.send_signal(signal.SIGKILL)
    billing.restart(opened)
    assert sub["status"] == "active" and status_of(opened)["to cancel"] == "1"
    opened.stripe.faults.clear()
    opened.stripe.fault("drop_done", "DELETE")
    opened.execute("UPDATE cancels SET next_at = 0")
    ended(opened, sub)
    assert status_of(opened)["to cancel"] == "0"
    assert len([e for e in opened.stripe.account.events.values() if e["type"] == "customer.subscription.deleted"]) == 1
    assert len(opened.stripe.account.invoices) == 1


def test_a_checkout_finished_after_the_end(shop, client):
    opened = shop()
    client(opened)
    session = opened.sign_in().post("/api/billing/checkout").json()["url"].rsplit("/", 1)[1]
    opened.owner.request("DELETE", f"/api/projects/{project_of(opened)}")
    sub = opened.stripe.account.complete_checkout(session)
    wait_for(lambda: opened.server.query("SELECT 1 FROM cancels"), "it is to end")
    ended(opened, sub)


def test_subscriptions_of_others_are_left_alone(shop, client):
    """Other programs use the same account at Stripe."""
    opened = shop()
    client(opened)
    account = opened.stripe.account
    customer = account.create_customer({"metadata": {"project_id": "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"}})
    with account.lock:
        sub = account._subscribe(customer["id"], [{"price": opened.prices[0]}], customer["metadata"], "active")
    wait_for(lambda: opened.server.query("SELECT COUNT(*) FROM stripe_events WHERE handled_at IS NOT NULL") == [(1,)],
             "the webhook is handled")
    assert opened.server.query("SELECT COUNT(*) FROM cancels") == [(0,)] and sub["status"] == "active"


# ---- payments that stay away ----

def test_past_due_has_an_end(shop, client, clock):
    opened = shop("--billing-past-due-days", "5", clock=clock)
    api = client(opened)
    sub = opened.subscribe()
    opened.stripe.account.set_status(sub["id"], "past_due")
    wait_for(lambda: api.get("/api/billing").json()["pastDueSince"], "the banner")
    until = api.get("/api/billing").json()["pastDueUntil"]
    opened.advance(4 * DAY)
    api.run("print(1)")
    opened.settled()
    assert opened.metered()[0] == 1 and opened.plan() == "pro"
    opened.advance(DAY + 60)
    wait_for(lambda: opened.plan() == "free", "patience ends")
    billing_ = api.get("/api/billing").json()
    assert billing_["pastDueUntil"] == until and billing_["runsPerMonth"] == 100 and not billing_["subscribed"]
    api.run("print(1)")  # with the limits of the plan free, and so for nothing
    opened.stripe.account.set_status(sub["id"], "past_due")  # told again: it stays free
    opened.settled()
    assert opened.metered()[0] == 1 and opened.plan() == "free"
    # A second subscription would bill the same usage twice.
    refused = opened.owner.post("/api/billing/checkout")
    assert refused.status_code == 409 and "portal" in refused.json()["message"]
    assert opened.server.query("SELECT target FROM audit WHERE action = 'subscription.lapse'") == [(sub["id"],)]
    opened.stripe.account.set_status(sub["id"], "active")
    wait_for(lambda: opened.plan() == "pro", "it has paid")
    assert api.get("/api/billing").json()["pastDueUntil"] is None
    api.run("print(1)")
    opened.settled()
    assert opened.metered()[0] == 2


# ---- the end of a period ----

def drafts(opened):
    return [i for i in opened.stripe.account.invoices.values() if i["status"] == "draft"]


def billed(opened, invoice):
    """What the invoice counts of the first meter."""
    price, start, end = invoice["_lines"][0]
    return opened.stripe.account.counted(price["recurring"]["meter"], invoice["customer"], start, end, late=True)


def end_period(opened, sub):
    item = sub["items"]["data"][0]
    opened.advance(item["current_period_end"] - opened.stripe.account.now() + 1)


def test_an_invoice_waits_for_usage_under_way(shop, client, clock):
    opened = shop(cpu=False, clock=clock)
    api = client(opened)
    sub = opened.subscribe()
    opened.stripe.fault("500", "meter_events", count=10**6)
    for _ in range(20):
        api.run("print(1)")
    end_period(opened, sub)
    invoice, = opened.stripe.account.invoices.values()
    before = invoice["created"] + HOUR
    wait_for(lambda: invoice["automatically_finalizes_at"] > before, "the invoice waits")
    assert abs(invoice["automatically_finalizes_at"] - invoice["created"] - 6 * HOUR) < 600
    opened.stripe.faults.clear()
    opened.execute("UPDATE meter_events SET next_at = 0")
    opened.settled()
    assert billed(opened, invoice) == 20
    opened.advance(7 * HOUR)
    assert (invoice["status"], invoice["total"]) == ("paid", 2)  # cents
    wait_for(lambda: opened.server.query("SELECT status, amount_paid FROM invoices") == [("paid", 2)], "it shows")


@pytest.mark.parametrize("late,total", [("next", 2), ("write-off", 1)])
def test_usage_that_was_late(shop, client, clock, late, total):
    """The server is down from before the period's end until the invoice is final."""
    opened = shop("--billing-late", late, "--billing-batch-seconds", "3600", cpu=False, clock=clock)
    api = client(opened)
    sub = opened.subscribe()
    api.run("print(1)")
    opened.server.send_signal(signal.SIGKILL)
    opened.server.process.wait(PATIENCE_S)
    assert opened.server.query("SELECT COUNT(*) FROM meter_pending") == [(1,)]
    opened.stripe.webhook_url = None
    end_period(opened, sub)
    opened.advance(2 * HOUR)
    first, = opened.stripe.account.invoices.values()
    assert (first["status"], first["total"]) == ("paid", 0)
    opened.server.start()
    opened.listen()
    opened.settled()
    assert billed(opened, first) == 0  # not told into a period that nobody pays for any more
    (state, message), = opened.server.query("SELECT state, message FROM meter_events")
    if late == "write-off":
        assert (state, opened.metered()[0]) == ("written_off", 0) and "written off" in message
    else:
        assert (state, opened.metered()[0]) == ("acked", 1)
    api.run("print(1)")
    opened.server.send_signal(signal.SIGKILL)  # the next start makes the batch
    billing.restart(opened)
    opened.settled()
    end_period(opened, sub)
    second = max(opened.stripe.account.invoices.values(), key=lambda i: i["created"])
    assert billed(opened, second) == total and opened.metered()[0] == total
    assert opened.server.log_text().count("late, ") == 1


def test_usage_after_the_end_of_a_period_that_is_open(shop, client, clock):
    """Down over the period's end, up again while the invoice is a draft: it counts in its own period."""
    opened = shop("--billing-batch-seconds", "3600", cpu=False, clock=clock)
    api = client(opened)
    sub = opened.subscribe()
    for _ in range(3):
        api.run("print(1)")
    opened.server.send_signal(signal.SIGKILL)
    opened.server.process.wait(PATIENCE_S)
    opened.stripe.webhook_url = None
    end_period(opened, sub)
    opened.server.start()
    opened.settled()
    invoice, = opened.stripe.account.invoices.values()
    assert billed(opened, invoice) == 3 and invoice["status"] == "draft"
    assert opened.metered()[0] == 3


# ---- money ----

def test_money_so_far(shop, client):
    opened = shop(env={"STRIPE_PRICE_PER_RUN": "0.001", "STRIPE_PRICE_PER_CPU_MS": "0.000001"})
    api = client(opened)
    api.run("print(1)")  # free
    opened.subscribe()
    for _ in range(4):
        api.run("sum(range(10**6))")
    opened.settled()
    shown = api.get("/api/billing").json()
    runs, cpu_ms = opened.metered()
    usage = shown["usage"]
    assert (usage["billedRuns"], usage["billedCpuMs"]) == (runs, cpu_ms) == (4, cpu_ms)
    assert usage["amountMicros"] == 1000 * 4 + cpu_ms
    assert json.dumps(usage["cost"]) == f"{usage['amountMicros'] / 10**6:.6f}".rstrip("0")
    assert shown["currency"] == "usd" and shown["budget"] is None and shown["runsPerMonth"] is None
    assert shown["forecast"]["amountMicros"] >= usage["amountMicros"]
