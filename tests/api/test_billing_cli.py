"""docle billing: what is made at Stripe, what the meter shows."""

import time

import pytest
import requests

from billing import HOUR_NS, METERS, Shop
from harness import PATIENCE_S, Server
from standin import Standin


@pytest.fixture
def stripe():
    made = Standin()
    yield made
    made.close()


@pytest.fixture
def idle():
    """A data folder without a server."""
    made = Server()
    yield made
    made.clean()


def cli(server, stripe, *words, key="sk_test_docle", check=True, **env):
    server.env.update({"STRIPE_SECRET_KEY": key, **env})
    return server.docle("billing", *words, "--billing-stripe-url", stripe.url, check=check)


@pytest.mark.parametrize("secret", ["sk_test_docle", "rk_test_docle"])
def test_setup_makes_what_is_missing_once(idle, stripe, secret):
    env = {"key": secret, "STRIPE_PRICE_PER_RUN": "0.001", "STRIPE_PRICE_PER_CPU_MS": "0.00001"}
    first = cli(idle, stripe, "setup", **env).stdout
    again = cli(idle, stripe, "setup", **env).stdout
    account = stripe.account
    assert sorted(m["event_name"] for m in account.meters.values()) == sorted(METERS)
    prices = {p["lookup_key"]: p for p in account.prices.values()}
    assert {k: p["unit_amount_decimal"] for k, p in prices.items()} == {"docle_runs": "0.1", "docle_cpu_ms": "0.001"}
    assert len(account.prices) == 2 and all(p["recurring"]["meter"] in account.meters for p in prices.values())
    assert f"STRIPE_PRICE_ID={prices['docle_runs']['id']}\n" in first
    assert [line for line in first.splitlines() if line[0] != "#"] == [
        line for line in again.splitlines() if line[0] != "#"]
    assert "made" in first and "made" not in again


def test_setup_of_other_currencies_and_prices(idle, stripe):
    cli(idle, stripe, "setup", "--price-currency", "jpy", STRIPE_PRICE_PER_RUN="0.5")
    price, = stripe.account.prices.values()
    assert (price["currency"], price["unit_amount_decimal"]) == ("jpy", "0.5")
    refused = cli(idle, stripe, "setup", "--price-currency", "jpy", check=False, STRIPE_PRICE_PER_RUN="0.6")
    assert refused.returncode == 1 and "prices do not change there" in refused.stderr
    assert len(stripe.account.prices) == 1


def test_setup_says_what_is_wrong(idle, stripe):
    assert "401" in cli(idle, stripe, "setup", key="sk_test_wrong", check=False).stderr
    wrong = cli(idle, stripe, "setup", key="pk_test_public", check=False)
    assert wrong.returncode != 0 and "sk_" in wrong.stderr and "pk_test_public" not in wrong.stderr


def test_reconcile_shows_drift(own_server):
    shop = Shop(own_server)
    try:
        key = shop.server.create_key()["key"]
        shop.subscribe()
        for _ in range(3):
            requests.post(shop.server.url("/api/run"), json={"code": "print(1)", "lang": "python"},
                          headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)
        shop.settled()
        shop.shift_back(5)
        good = cli(shop.server, shop.stripe, "reconcile")
        rows = [line.split() for line in good.stdout.splitlines()[1:]]
        assert sum(int(row[3]) for row in rows if row[2] == "runs") == 3
        assert {row[-1] for row in rows} == {"equal"}
        status = dict(line.rsplit(None, 1) for line in cli(shop.server, shop.stripe, "status").stdout.splitlines())
        assert int(status["acked"]) == len(shop.stripe.account.meter_events) and status["mode"] == "stripe"
        shop.stripe.account.meter_events.pop()
        drift = cli(shop.server, shop.stripe, "reconcile", check=False)
        assert drift.returncode == 1 and "DRIFT" in drift.stdout
    finally:
        shop.stripe.close()


@pytest.mark.parametrize("arrived", [True, False])
def test_what_is_not_known_is_looked_up(own_server, arrived):
    """A day without an answer: the next comparison finds out whether the usage is there, and acts on it."""
    shop = Shop(own_server, cpu=False)
    try:
        key = shop.server.create_key()["key"]
        shop.subscribe()
        shop.stripe.fault("drop_done" if arrived else "drop", "meter_events", count=10**6)
        requests.post(shop.server.url("/api/run"), json={"code": "print(1)", "lang": "python"},
                      headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while not shop.server.query("SELECT 1 FROM meter_events WHERE attempts > 0") and time.monotonic() < deadline:
            time.sleep(0.05)
        shop.server.stop()
        assert shop.metered()[0] == (1 if arrived else 0)
        shop.shift_back(30)
        shop.execute("UPDATE meter_events SET first_sent_at = first_sent_at - ?", 30 * HOUR_NS)
        shop.stripe.faults.clear()
        shop.stripe.account.identifiers.clear()  # a day has passed for Stripe, too
        shop.stripe.kept.clear()
        shop.server.start()
        deadline = time.monotonic() + 120 + PATIENCE_S
        while shop.server.query("SELECT state FROM meter_events") != [("acked",)] and time.monotonic() < deadline:
            time.sleep(0.2)
        assert shop.server.query("SELECT state FROM meter_events") == [("acked",)]
        assert shop.metered()[0] == 1
    finally:
        shop.stripe.close()
