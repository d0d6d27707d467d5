"""kill -9 between all steps from ledger to meter. For a build with test hooks."""

import contextlib
import signal

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
