"""kill -9 at random moments under load: each run counts once at the meter."""

import os
import random
import signal
import time

import pytest

from billing import Load, check, restart
from harness import wait_for

KILLS = {"short": 8, "long": 200}


def storm(shop, kills, seed):
    """Kills at random moments while runs end, batches are made and Stripe loses every fifth answer."""
    draw = random.Random(seed)
    key = shop.server.create_key()["key"]
    shop.subscribe()
    for kind in ("drop", "drop_done", "500", "500_done", "429"):
        shop.stripe.fault(kind, "meter_events", count=10**9, chance=0.04)
    load = Load(shop, key)
    try:
        for _ in range(kills):
            before = load.done
            wait_for(lambda b=before: load.done > b, "a run is answered")
            time.sleep(draw.random() * 1.5)
            os.kill(shop.server.pid, signal.SIGKILL)
            restart(shop)
        before = load.done
        wait_for(lambda: load.done > before, "runs are answered at the end")
    finally:
        load.end()
    shop.stripe.faults.clear()
    # What failed often waits for minutes by now; a start makes it due.
    os.kill(shop.server.pid, signal.SIGKILL)
    restart(shop)
    total = check(shop)
    assert total >= load.done
    return total, load.done


def test_kills_under_load(shop):
    storm(shop(), KILLS["short"], 1)


@pytest.mark.slow
def test_many_kills_under_load(shop):
    """`make kill`"""
    total, acknowledged = storm(shop(), KILLS["long"], time.time_ns())
    print(f"{KILLS['long']} kills, {total} runs billed once each, {acknowledged} of them acknowledged")
