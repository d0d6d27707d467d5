"""What goes wrong with billing is seen: by the meter's own reports, in the figures, by one mail, and can be mended."""

import json
import time

import pytest
import requests

import billing  # noqa: F401, first: it finds tests/stripe
from harness import PATIENCE_S, wait_for
from wire import signature_header


@pytest.fixture
def client(make_client):
    return lambda opened, project="default": make_client(opened.server, opened.server.create_key(project)["key"])


@pytest.fixture
def paying(shop, client):
    """A shop with a subscription, and a client of it."""
    def make(*flags, **more):
        opened = shop(*flags, cpu=False, **more)
        api = client(opened)
        opened.subscribe()
        return opened, api

    return make


def events(opened, columns="state"):
    return opened.server.query(f"SELECT {columns} FROM meter_events ORDER BY at, id")


def incidents(opened, *, closed=False):
    return {kind for kind, in opened.server.query(
        "SELECT kind FROM incidents WHERE (closed_at IS NULL) = ?", 0 if closed else 1)}


def mails_about(opened, kind):
    return opened.server.log_text().count(f"Mail to owner@example.com: Docle: billing needs a look ({kind})")


# ---- errors that the meter finds afterwards ----

def reported(opened):
    wait_for(lambda: events(opened) == [("dead",)], "the event is marked")
    (message,), = events(opened, "message")
    assert message.startswith("archived_meter")
    wait_for(lambda: "meter_error" in incidents(opened), "an incident")


def test_reports_of_the_meter(paying):
    opened, api = paying()
    opened.stripe.account.async_error = "archived_meter"
    api.run("print(1)")
    reported(opened)
    read, = (r for r in opened.stripe.requests if r.path.startswith("/v2/core/events/"))
    assert read.method == "GET"
    assert opened.stripe.deliveries[-1][1] == 200
    assert opened.server.query("SELECT COUNT(*) FROM audit WHERE action = 'incident.open'")[0][0] >= 1


def test_reports_without_webhooks(paying):
    opened, api = paying()
    opened.stripe.webhook_url = None
    opened.stripe.account.async_error = "archived_meter"
    api.run("print(1)")
    opened.settled()
    assert events(opened) == [("acked",)]
    with opened.stripe.account.lock:  # more than a page
        for _ in range(120):
            opened.stripe.account.report_error(None, {"identifier": "somebody-elses"}, "no_meter")
    assert opened.server.stop() == 0
    opened.server.start()
    reported(opened)
    wait_for(lambda: opened.server.query("SELECT COUNT(*) FROM stripe_events WHERE type LIKE 'v1.billing.meter.%'"
                                         " AND handled_at IS NOT NULL") == [(121,)], "all are read")


def test_forged_reports(paying):
    """The secret of the event destination alone says nothing: what happened is read from Stripe."""
    opened, api = paying()
    api.run("print(1)")
    opened.settled()
    (identifier,), = events(opened, "id")
    forged = {"id": "evt_forged", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
              "data": {"reason": {"error_count": 1, "error_types": [{"code": "x", "error_count": 1, "sample_errors": [
                  {"error_message": "x", "request": {"identifier": identifier}}]}]}}}
    assert opened.stripe.deliver(forged, secrets=["whsec_wrong"]) == 400
    assert opened.stripe.deliver(forged, secrets=["whsec_meter"]) == 200
    wait_for(lambda: opened.server.query("SELECT handled_at FROM stripe_events WHERE id = 'evt_forged'")[0][0],
             "it is handled")
    assert events(opened) == [("acked",)] and "meter_error" not in incidents(opened)


def test_odd_reports(paying):
    """Whatever the API answers is data."""
    opened, _ = paying()
    account = opened.stripe.account
    for number, reason in enumerate([None, [], {"error_types": 5}, {"error_types": [None, 7, {}]},
                                     {"error_count": "x", "error_types": [{"code": 3, "sample_errors": {"a": 1}}]},
                                     {"error_count": 2**62, "error_types": [{"code": "x" * 5000, "sample_errors": [
                                         {"error_message": "y" * 5000, "request": {"identifier": "z" * 500}}]}]}]):
        event = {"id": f"evt_odd{number}", "object": "v2.core.event", "created": "2030-01-01T00:00:00.000Z",
                 "type": "v1.billing.meter.no_meter_found", "data": {"reason": reason}}
        account.thin_events[event["id"]] = event
        assert opened.stripe.deliver({k: v for k, v in event.items() if k != "data"}) == 200
    wait_for(lambda: opened.server.query(
        "SELECT COUNT(*) FROM stripe_events WHERE id LIKE 'evt_odd%' AND handled_at IS NOT NULL") == [(6,)], "all are read")
    assert opened.server.process.poll() is None


# ---- telling again ----

def refused(opened, api):
    """One run that the meter refuses for good."""
    meter = next(iter(opened.stripe.account.meters.values()))
    meter["status"] = "inactive"
    api.run("print(1)")
    opened.settled()
    meter["status"] = "active"
    (identifier,), = events(opened, "id")
    assert events(opened) == [("dead",)]
    return identifier


def test_retry(paying):
    opened, api = paying()
    identifier = refused(opened, api)
    soon = opened.cli("retry", identifier, check=False)
    assert soon.returncode == 1 and "left: the meter may add up that hour yet" in soon.stdout
    assert events(opened) == [("dead",)]
    opened.shift_back(5)
    assert opened.cli("retry", "nobody", check=False).returncode == 1
    done = opened.cli("retry", identifier)
    assert "again" in done.stdout
    opened.settled()
    (new, former, state), = events(opened, "id, former_id, state")
    assert new != identifier and (former, state) == (identifier, "acked") and opened.metered()[0] == 1
    again = opened.cli("retry", identifier, check=False)
    assert again.returncode == 1 and "no usage event that is dead" in again.stderr
    assert opened.cli("retry", "--all").stdout == "" and opened.metered()[0] == 1
    assert opened.server.query("SELECT target FROM audit WHERE action = 'usage.retry'") == [
        (f"{identifier}: again as {new}",)]


def test_retry_of_what_is_there(paying):
    """It was refused after the meter had counted it: it is not told twice."""
    opened, api = paying()
    refused(opened, api)
    (value, at), = events(opened, "value, at")
    customer, = opened.stripe.account.customers
    opened.stripe.account.create_meter_event({
        "event_name": "docle_runs", "identifier": "before", "timestamp": str(at // 10**9),
        "payload": {"stripe_customer_id": customer, "value": str(value)}})
    opened.shift_back(5)
    assert "is at the meter after all" in opened.cli("retry", "--all").stdout
    assert events(opened) == [("acked",)] and opened.metered()[0] == 1


def test_retry_where_nothing_agrees(paying):
    opened, api = paying()
    refused(opened, api)
    (at,), = events(opened, "at")
    customer, = opened.stripe.account.customers
    opened.stripe.account.create_meter_event({
        "event_name": "docle_runs", "identifier": "strange", "timestamp": str(at // 10**9),
        "payload": {"stripe_customer_id": customer, "value": "17"}})
    opened.shift_back(5)
    left = opened.cli("retry", "--all", check=False)
    assert left.returncode == 1 and "does not agree" in left.stdout and events(opened) == [("dead",)]


# ---- incidents ----

def test_dead_usage_is_told_of_once(paying):
    opened, api = paying()
    refused(opened, api)
    wait_for(lambda: "dead" in incidents(opened), "an incident")
    wait_for(lambda: mails_about(opened, "dead") == 1, "a mail")
    metrics = opened.server.metrics()
    assert metrics["docle_billing_dead_events"] == 1 and metrics['docle_billing_incident{kind="dead"}'] == 1
    assert metrics["docle_billing_sender"] == 1
    shown = opened.cli("status").stdout
    assert "incidents     1" in shown and "  dead since" in shown and "sender        " in shown
    opened.shift_back(5)
    opened.cli("retry", "--all")
    wait_for(lambda: "dead" in incidents(opened, closed=True), "it is over")
    # Another one so soon shows, but does not mail.
    opened.execute("UPDATE meter_events SET state = 'dead'")
    wait_for(lambda: "dead" in incidents(opened), "another one")
    wait_for(lambda: opened.server.metrics()['docle_billing_incident{kind="dead"}'] == 1, "it shows")
    assert mails_about(opened, "dead") == 1
    assert opened.server.query("SELECT COUNT(*) FROM outbox WHERE kind = 'incident'") == [(0,)]


def test_a_sender_that_stands_still(paying):
    opened, api = paying()
    opened.stripe.fault("500", "meter_events", count=10**6)
    api.run("print(1)")
    wait_for(lambda: opened.server.query("SELECT 1 FROM meter_events WHERE attempts > 0"), "it is tried")
    opened.execute("UPDATE meter_events SET first_sent_at = first_sent_at - ?", 1200 * 10**9)
    wait_for(lambda: "stalled" in incidents(opened), "an incident")
    wait_for(lambda: opened.server.metrics()["docle_billing_oldest_unsent_seconds"] >= 1200, "it shows")
    opened.stripe.faults.clear()
    opened.execute("UPDATE meter_events SET next_at = 0")
    wait_for(lambda: "stalled" in incidents(opened, closed=True), "it is over")


def test_wrong_signatures(paying):
    opened, _ = paying()
    body = json.dumps({"id": "evt_1", "type": "charge.succeeded"}).encode()
    for _ in range(40):
        answer = requests.post(opened.server.url("/api/stripe/webhook"), data=body, timeout=PATIENCE_S, headers={
            "Stripe-Signature": signature_header(["whsec_old"], body, int(time.time()))})
        assert answer.status_code == 400
    wait_for(lambda: "signature" in incidents(opened), "an incident")
    assert opened.server.metrics()["docle_billing_webhook_signature_failures_total"] == 40
    wait_for(lambda: mails_about(opened, "signature") == 1, "a mail")


def test_drift_is_told_of(paying):
    opened, api = paying()
    for _ in range(2):
        api.run("print(1)")
    opened.settled()
    opened.shift_back(5)
    opened.stripe.account.meter_events.pop()
    assert opened.server.stop() == 0
    opened.server.start()
    wait_for(lambda: "drift" in incidents(opened), "an incident")
    assert opened.server.metrics()["docle_billing_drift_hours_total"] >= 1
    assert "docle billing reconcile" in opened.cli("status").stdout
