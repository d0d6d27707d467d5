"""The stand-in is held against Stripe's own client: what that sends is understood, what it gets it can read."""

import http.server
import json
import threading
import time

import pytest

from official import Official, OfficialError
from wire import parse_form, signature_header

METER = {
    "display_name": "Runs", "event_name": "docle_runs", "default_aggregation": {"formula": "sum"},
    "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
    "value_settings": {"event_payload_key": "value"},
}


@pytest.fixture
def shop(standin, official):
    """A meter, a metered price, a customer."""
    meter = official("billing.meters.create", METER)
    price = official("prices.create", {
        "currency": "usd", "unit_amount_decimal": "0.1", "lookup_key": "docle_runs", "product_data": {"name": "Runs"},
        "recurring": {"interval": "month", "usage_type": "metered", "meter": meter["id"]}})
    customer = official("customers.create", {"metadata": {"project_id": "p1"}})
    return {"meter": meter["id"], "price": price["id"], "customer": customer["id"]}


def event(shop, identifier, value=1, **more):
    return {"event_name": "docle_runs", "identifier": identifier,
            "payload": {"stripe_customer_id": shop["customer"], "value": str(value)}, **more}


def subscribe(standin, official, shop):
    session = official("checkout.sessions.create", {
        "mode": "subscription", "customer": shop["customer"], "line_items": [{"price": shop["price"]}],
        "subscription_data": {"metadata": {"project_id": "p1"}},
        "success_url": "https://a.invalid/s", "cancel_url": "https://a.invalid/c"})
    assert session["url"] and session["status"] == "open"
    return standin.account.complete_checkout(session["id"])


def test_meter_of_a_name_is_one(official):
    assert official("billing.meters.create", METER)["status"] == "active"
    with pytest.raises(OfficialError) as refused:
        official("billing.meters.create", METER)
    assert refused.value.status == 400
    assert [m["event_name"] for m in official("billing.meters.list", {"limit": 5})["data"]] == ["docle_runs"]


def test_metered_price_needs_a_meter(official):
    with pytest.raises(OfficialError) as refused:
        official("prices.create", {"currency": "usd", "unit_amount": 1, "product_data": {"name": "x"},
                                   "recurring": {"interval": "month", "usage_type": "metered"}})
    assert refused.value.param == "recurring[meter]"


def test_checkout_refuses_a_quantity_of_metered_usage(official, shop):
    with pytest.raises(OfficialError) as refused:
        official("checkout.sessions.create", {
            "mode": "subscription", "customer": shop["customer"],
            "line_items": [{"price": shop["price"], "quantity": 1}],
            "success_url": "https://a.invalid/s", "cancel_url": "https://a.invalid/c"})
    assert refused.value.param == "line_items[0][quantity]"


def test_identifier_is_taken_once_a_day(standin, official, shop):
    official("billing.meterEvents.create", event(shop, "a", 5))
    with pytest.raises(OfficialError, match="An event already exists with identifier a") as refused:
        official("billing.meterEvents.create", event(shop, "a", 5))
    assert refused.value.status == 400
    assert standin.metered("docle_runs") == 5
    standin.account.advance(24 * 3600 + 1)
    official("billing.meterEvents.create", event(shop, "a", 5))
    assert standin.metered("docle_runs") == 10


@pytest.mark.parametrize("offset,code", [(-35 * 86400 - 60, "timestamp_too_far_in_past"), (301, "timestamp_in_future"),
                                         (-35 * 86400 + 60, None), (280, None)])
def test_window_of_timestamps(standin, official, shop, offset, code):
    sent = event(shop, "t", timestamp=standin.account.now() + offset)
    if not code:
        assert official("billing.meterEvents.create", sent)["identifier"] == "t"
        return
    with pytest.raises(OfficialError) as refused:
        official("billing.meterEvents.create", sent)
    assert refused.value.code == code


def test_aggregation_comes_later(standin, official, shop):
    standin.account.aggregation_delay = 30
    now = standin.account.now()
    hour = now - now % 3600
    window = {"customer": shop["customer"], "start_time": hour, "end_time": hour + 7200,
              "value_grouping_window": "hour"}
    official("billing.meterEvents.create", event(shop, "x", 3, timestamp=now))
    assert official("billing.meters.listEventSummaries", shop["meter"], window)["data"] == []
    standin.account.advance(31)
    rows = official("billing.meters.listEventSummaries", shop["meter"], window)["data"]
    assert [(row["start_time"], row["aggregated_value"]) for row in rows] == [(hour, 3)]
    with pytest.raises(OfficialError, match="aligned"):
        official("billing.meters.listEventSummaries", shop["meter"], {**window, "start_time": hour + 1})


def test_adjustment_takes_an_event_back(standin, official, shop):
    official("billing.meterEvents.create", event(shop, "x", 3))
    official("billing.meterEventAdjustments.create", {"event_name": "docle_runs", "type": "cancel",
                                                      "cancel": {"identifier": "x"}})
    assert standin.metered("docle_runs") == 0
    with pytest.raises(OfficialError):
        official("billing.meterEventAdjustments.create", {"event_name": "docle_runs", "type": "cancel",
                                                          "cancel": {"identifier": "y"}})


def test_unknown_customer_shows_in_a_thin_event(standin, official, shop):
    official("billing.meterEvents.create", event({**shop, "customer": "cus_none"}, "lost"))
    assert standin.metered("docle_runs") == 0
    listed = official("v2.core.events.list", {"object_id": shop["meter"]})["data"]
    found = official("v2.core.events.retrieve", listed[0]["id"])
    assert found["type"] == "v1.billing.meter.error_report_triggered"
    assert found["data"]["reason"]["error_types"][0]["code"] == "meter_event_customer_not_found"


def test_key_keeps_the_answer(standin, official, shop):
    first = official("customers.create", {"email": "a@b.invalid"}, {"idempotencyKey": "k"})
    again = official("customers.create", {"email": "a@b.invalid"}, {"idempotencyKey": "k"})
    assert again["id"] == first["id"]
    with pytest.raises(OfficialError) as refused:
        official("customers.create", {"email": "c@d.invalid"}, {"idempotencyKey": "k"})
    assert refused.value.type == "StripeIdempotencyError"
    standin.account.advance(24 * 3600 + 1)
    assert official("customers.create", {"email": "c@d.invalid"}, {"idempotencyKey": "k"})["id"] != first["id"]


def test_key_keeps_a_failure_too(standin, official, shop):
    """The trap: a 500 answers every retry with its key for a day, whether or not the work was done."""
    standin.fault("500_done", "meter_events")
    for _ in range(2):
        with pytest.raises(OfficialError) as broken:
            official("billing.meterEvents.create", event(shop, "x", 4), {"idempotencyKey": "x"})
        assert broken.value.status == 500
    with pytest.raises(OfficialError, match="already exists"):
        official("billing.meterEvents.create", event(shop, "x", 4), {"idempotencyKey": "x-2"})
    assert standin.metered("docle_runs") == 4


def test_key_is_not_spent_by_what_was_refused(standin, official, shop):
    with pytest.raises(OfficialError):
        official("billing.meterEvents.create", event(shop, "x", timestamp=1), {"idempotencyKey": "x"})
    for status in (429, 409):
        standin.fault(status, "meter_events")
        with pytest.raises(OfficialError) as refused:
            official("billing.meterEvents.create", event(shop, "x"), {"idempotencyKey": "x"})
        assert refused.value.status == status
    official("billing.meterEvents.create", event(shop, "x"), {"idempotencyKey": "x"})
    assert standin.metered("docle_runs") == 1


@pytest.mark.parametrize("kind", ["drop", "drop_done", "409", "500"])
def test_official_client_gets_over_faults(standin, shop, kind):
    standin.fault(kind, "meter_events")
    patient = Official(standin.url, retries=2)
    try:
        if kind == "500":  # its own rule: the same key again, and so the same answer
            with pytest.raises(OfficialError):
                patient("billing.meterEvents.create", event(shop, "x"))
        else:
            patient("billing.meterEvents.create", event(shop, "x"))
            assert standin.metered("docle_runs") == 1
    finally:
        patient.close()


def test_who_may(standin, shop):
    for key, status in (("sk_test_wrong", 401), ("rk_test_docle", None)):
        client = Official(standin.url, key)
        try:
            if status:
                with pytest.raises(OfficialError) as refused:
                    client("customers.create", {})
                assert refused.value.status == status
            else:
                client("customers.create", {})
                with pytest.raises(OfficialError) as refused:
                    client("charges.list", {})
                assert refused.value.status == 403
        finally:
            client.close()


def test_subscription_and_its_invoice(standin, official, shop):
    account = standin.account
    sub = subscribe(standin, official, shop)
    read = official("subscriptions.retrieve", sub["id"])
    assert read["status"] == "active" and read["metadata"] == {"project_id": "p1"}
    end = read["items"]["data"][0]["current_period_end"]
    official("billing.meterEvents.create", event(shop, "x", 50, timestamp=account.now()))
    account.advance(end - account.now() + 1)
    draft = official("invoices.list", {"customer": shop["customer"]})["data"][0]
    assert (draft["status"], draft["billing_reason"], draft["period_end"]) == ("draft", "subscription_cycle", end)
    moved = official("invoices.update", draft["id"], {"automatically_finalizes_at": account.now() + 7200})
    assert moved["automatically_finalizes_at"] == account.now() + 7200
    # In the time between, usage of the old period still counts.
    official("billing.meterEvents.create", event(shop, "y", 1000, timestamp=end - 1))
    account.advance(3700)
    assert official("invoices.retrieve", draft["id"])["status"] == "draft"
    account.advance(3600)
    paid = official("invoices.retrieve", draft["id"])
    assert (paid["status"], paid["amount_paid"]) == ("paid", 105)
    kinds = [e["type"] for e in official("events.list", {"limit": 100})["data"]]
    assert {"customer.subscription.created", "checkout.session.completed", "invoice.created", "invoice.finalized",
            "invoice.paid"} <= set(kinds)


def test_portal(official, shop):
    made = official("billingPortal.sessions.create", {"customer": shop["customer"], "return_url": "https://a.invalid"})
    assert made["url"].startswith("https://")


class Receiver(http.server.BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((body.decode(), self.headers["Stripe-Signature"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def test_webhooks_are_signed_so_that_the_client_agrees(standin, official, shop):
    Receiver.got.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    standin.webhook_url = f"http://127.0.0.1:{server.server_address[1]}/"
    standin.webhook_secrets = ["whsec_old", "whsec_new"]
    standin.automatic = False
    official("customers.create", {"email": "x@y.invalid"})
    standin.deliver_all()
    server.shutdown()
    (body, header), = Receiver.got
    for secret in standin.webhook_secrets:
        assert official("webhooks.constructEvent", body, header, secret, sync=True)["type"] == "customer.created"
    with pytest.raises(OfficialError):
        official("webhooks.constructEvent", body, header, "whsec_other", sync=True)


def test_signatures_are_the_clients(official):
    body, stamp = json.dumps({"id": "evt_1"}), int(time.time())
    made = official("webhooks.generateTestHeaderString", {"payload": body, "secret": "whsec_x", "timestamp": stamp},
                    sync=True)
    assert made in signature_header(["whsec_x"], body.encode(), stamp)


def test_forms():
    assert parse_form("a[b][0][c]=1&a[b][1][c]=2&d=%26") == {"a": {"b": {"0": {"c": "1"}, "1": {"c": "2"}}}, "d": "&"}


@pytest.mark.parametrize("invoice", [True, False])
def test_ending_a_subscription(standin, official, shop, invoice):
    """At once; metered usage is on a last invoice only when that is asked for."""
    sub = subscribe(standin, official, shop)
    official("billing.meterEvents.create", event(shop, "a", 30))
    standin.account.advance(60)
    ended = official("subscriptions.cancel", sub["id"], {"invoice_now": invoice, "prorate": False})
    assert ended["status"] == "canceled" and ended["ended_at"]
    assert standin.requests[-1].method == "DELETE" and "Idempotency-Key" not in standin.requests[-1].headers
    standin.account.advance(3700)
    assert [i["total"] for i in standin.account.invoices.values()] == ([3] if invoice else [])
    with pytest.raises(OfficialError) as refused:
        official("subscriptions.cancel", sub["id"])
    assert (refused.value.status, refused.value.code) == (404, "resource_missing")
    assert official("subscriptions.retrieve", sub["id"])["status"] == "canceled"
    with pytest.raises(OfficialError):
        official("subscriptions.cancel", subscribe(standin, official, shop)["id"], {"at_once": True})


def test_thin_events_are_read_by_the_second_version(standin, official, shop):
    sent = []
    standin.account.on_event = sent.append
    standin.account.async_error = "archived_meter"
    official("billing.meterEvents.create", event(shop, "a", 5))
    assert standin.metered("docle_runs") == 0
    note, = sent
    assert note["object"] == "v2.core.event" and "data" not in note
    read = official("v2.core.events.retrieve", note["id"])
    kind, = read["data"]["reason"]["error_types"]
    assert (kind["code"], kind["sample_errors"][0]["request"]["identifier"]) == ("archived_meter", "a")
    with standin.account.lock:
        standin.account.report_error(None, {"identifier": "b"}, "no_meter")
    none = "v1.billing.meter.no_meter_found"
    found = official("v2.core.events.list", {"types": [none], "created": {"gte": "2020-01-01T00:00:00.000Z"}})
    assert [e["type"] for e in found["data"]] == [none]
    assert official("v2.core.events.list", {"created": {"gte": "2999-01-01T00:00:00.000Z"}})["data"] == []
    first = official("v2.core.events.list", {"limit": 1})
    assert len(first["data"]) == 1 and first["next_page_url"].startswith("/v2/core/events?")
