"""kill -9 between all steps from ledger to meter. For a build with test hooks."""

import contextlib
import signal
import subprocess

import pytest
import requests

from billing import check
from harness import PATIENCE_S, wait_for

STEPS = ["before_batch", "after_batch", "after_claim", "before_send", "before_ack", "after_ack", "before_hint_settled"]


@pytest.mark.parametrize("step", STEPS)
def test_dies_at(shop, step):
    """The server dies at that step, again and again, and goes on afterwards."""
    opened = shop()
    key = opened.server.create_key()["key"]
    opened.subscribe()
    opened.stripe.automatic = False
    for _ in range(3):
        requests.post(opened.server.url("/api/run"), json={"code": "print(1)", "lang": "python"},
                      headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)
        opened.server.send_signal(signal.SIGKILL)
        opened.server.process.wait(PATIENCE_S)
        opened.server.env["DOCLE_TEST_BILLING_DIES"] = step
        with contextlib.suppress(AssertionError):  # it may be dead before it is seen listening
            opened.server.start(ready=False)
            opened.listen()
        if step == "before_hint_settled":
            sub, = opened.stripe.account.subscriptions.values()
            opened.server.wait_ready()
            opened.stripe.deliver(opened.stripe.account.set_status(sub["id"], "active"))
        assert opened.server.process.wait(PATIENCE_S) == -signal.SIGKILL
        del opened.server.env["DOCLE_TEST_BILLING_DIES"]
        opened.server.start()
        opened.listen()
        opened.settled()
    assert check(opened) == 3
    assert opened.plan() == "pro"
    wait_for(lambda: opened.server.query("SELECT COUNT(*) FROM stripe_events WHERE handled_at IS NULL") == [(0,)],
             "webhooks are handled")


@pytest.mark.parametrize("step", ["before_cancel", "after_cancel", "after_claim", "before_ack"])
def test_dies_while_a_subscription_ends(shop, step):
    """The project is deleted with usage that is not told; the server dies on the way, again and again."""
    opened = shop("--billing-batch-seconds", "3600", cpu=False)
    key = opened.server.create_key()["key"]
    sub = opened.subscribe()
    requests.post(opened.server.url("/api/run"), json={"code": "print(1)", "lang": "python"},
                  headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)
    opened.stripe.automatic = False
    opened.stripe.fault("500", "DELETE|meter_events", count=10**6)
    (project,), = opened.server.query("SELECT id FROM projects")
    assert opened.owner.request("DELETE", f"/api/projects/{project}").status_code == 200
    opened.server.send_signal(signal.SIGKILL)
    opened.server.process.wait(PATIENCE_S)
    opened.stripe.faults.clear()
    for _ in range(2):
        opened.execute("UPDATE cancels SET next_at = 0, done_at = NULL")
        opened.execute("UPDATE meter_events SET next_at = 0")
        opened.server.env["DOCLE_TEST_BILLING_DIES"] = step
        with contextlib.suppress(AssertionError):
            opened.server.start(ready=False)
        try:
            died = opened.server.process.wait(20)
        except subprocess.TimeoutExpired:  # that step is behind it
            opened.server.send_signal(signal.SIGKILL)
            died = opened.server.process.wait(PATIENCE_S)
        assert died == -signal.SIGKILL
    del opened.server.env["DOCLE_TEST_BILLING_DIES"]
    opened.server.start()
    wait_for(lambda: sub["status"] == "canceled", "it ends")
    wait_for(lambda: opened.server.query("SELECT COUNT(*) FROM cancels WHERE done_at IS NULL") == [(0,)], "it is noted")
    assert opened.metered()[0] == 1
    assert len([e for e in opened.stripe.account.events.values() if e["type"] == "customer.subscription.deleted"]) == 1
    invoice, = opened.stripe.account.invoices.values()
    price, start, end = invoice["_lines"][0]
    assert opened.stripe.account.counted(price["recurring"]["meter"], sub["customer"], start, end, late=True) == 1
