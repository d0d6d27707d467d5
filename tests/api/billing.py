"""A server that bills through the stand-in for Stripe."""

import concurrent.futures
import contextlib
import pathlib
import sqlite3
import sys
import threading
import time

import requests

from accounts import Browser
from contract import Contract
from harness import PATIENCE_S, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stripe"))

from standin import Standin  # noqa: E402 pylint: disable=wrong-import-position

HOME = "https://docle.invalid"
METERS = ("docle_runs", "docle_cpu_ms")
AMOUNTS = ("0.1", "0.0001")  # cents
HOUR_NS = 3600 * 10**9


class Shop:
    """The stand-in with meters and prices as `docle billing setup` makes them, and a server on it."""

    def __init__(self, start, *flags, cpu=True, env=None, ready=True, clock=None):
        """clock: both follow it, see advance."""
        self.stripe, self.clock, self.offset = Standin(), clock, 0
        account = self.stripe.account
        with account.lock:
            self.prices = []
            for name, amount in zip(METERS, AMOUNTS):
                meter = account.create_meter({"display_name": name, "event_name": name,
                                              "default_aggregation": {"formula": "sum"}})
                self.prices.append(account.create_price({
                    "currency": "usd", "unit_amount_decimal": amount, "product_data": {"name": name},
                    "recurring": {"interval": "month", "usage_type": "metered", "meter": meter["id"]}})["id"])
        self.server = start(
            "--billing-stripe-url", self.stripe.url, "--billing-batch-seconds", "1", "--billing-per-second", "200",
            *flags, ready=ready,
            env={"STRIPE_SECRET_KEY": "sk_test_docle", "STRIPE_WEBHOOK_SECRET": "whsec_standin",
                 "STRIPE_METER_WEBHOOK_SECRET": "whsec_meter",
                 "STRIPE_PRICE_ID": self.prices[0], **({"STRIPE_CPU_PRICE_ID": self.prices[1]} if cpu else {}),
                 "APP_URL": HOME, **(clock.env if clock else {}), **(env or {})})
        if clock:
            self.stripe.stamp = lambda: time.time() + self.offset  # the account's own is behind while it advances
        self.listen()
        self.owner = None

    def advance(self, seconds):
        """Time passes for both."""
        account = self.stripe.account
        self.offset = int(account.offset + seconds)
        self.clock.set(self.offset)
        account.advance(seconds)

    def execute(self, sql, *values):
        """As no program does it: for what would take days."""
        with contextlib.closing(sqlite3.connect(self.server.folder / "docle.db", timeout=PATIENCE_S)) as database:
            database.execute(sql, values)
            database.commit()

    def shift_back(self, hours):
        """As if all that was told, or refused, had happened some hours ago."""
        self.execute("UPDATE meter_events SET at = at - ?, settled_at = settled_at - ?", hours * HOUR_NS, hours * HOUR_NS)
        for event in self.stripe.account.meter_events:
            event["timestamp"] -= hours * 3600

    def cli(self, *words, check=True):
        return self.server.docle("billing", *words, "--billing-stripe-url", self.stripe.url, check=check)

    def sign_in(self):
        """The first to sign in becomes operator and owner of the project that is there."""
        self.server.create_key()
        self.owner = Browser(self.server, Contract())
        self.owner.headers["Origin"] = HOME
        self.owner.sign_in("owner@example.com")
        return self.owner

    def listen(self):
        self.stripe.webhook_url = self.server.url("/api/stripe/webhook")

    def plan(self, project="default"):
        (plan,), = self.server.query("SELECT plan FROM projects WHERE name = ?", project)
        return plan

    def subscribe(self, project="default"):
        """Through the checkout, as a person does; returns the subscription."""
        answer = (self.owner or self.sign_in()).post("/api/billing/checkout")
        assert answer.status_code == 200, answer.text
        session = answer.json()["url"].rsplit("/", 1)[1]
        sub = self.stripe.account.complete_checkout(session)
        wait_for(lambda: self.plan(project) == "pro", "the project is pro")
        return sub

    def settled(self):
        """Everything is told: (runs, cpu_ms) of the ledger that are billable, by the server's own books."""
        def done():  # in one look: what leaves the one enters the other
            return self.server.query("SELECT (SELECT COUNT(*) FROM meter_events WHERE state IN ('pending', 'sending'))"
                                     " + (SELECT COUNT(*) FROM meter_pending)") == [(0,)]

        wait_for(done, "usage is told")

    def metered(self):
        return tuple(self.stripe.metered(name) for name in METERS)


def check(shop):
    """Sum of the ledger = sum at the meter, no run missing, none twice."""
    shop.settled()
    query = shop.server.query
    assert query("SELECT state, COUNT(*) FROM meter_events WHERE state <> 'acked' GROUP BY state") == []
    billable = query(
        "SELECT run_id, cpu_ns / 1000000 FROM ledger l WHERE outcome NOT IN ('sandbox_error', 'install_failed')")
    batched = query("SELECT run_id FROM meter_batch_runs")
    assert sorted(row[0] for row in billable) == sorted(row[0] for row in batched)
    (events,), = query("SELECT COALESCE(SUM(value), 0) FROM meter_events WHERE meter = 'runs'")
    (cpu_ms,), = query("SELECT COALESCE(SUM(value), 0) FROM meter_events WHERE meter = 'cpu_ms'")
    assert shop.metered() == (events, cpu_ms)
    assert events == len(billable)
    return events


class Load:
    """Runs without pause, from a few clients; those that were acknowledged are counted."""

    def __init__(self, shop, key, clients=4):
        self.shop, self.key, self.ended, self.done = shop, key, threading.Event(), 0
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.lock = threading.Lock()
        for _ in range(clients):
            self.pool.submit(self._work)

    def _work(self):
        while not self.ended.is_set():
            try:
                answer = requests.post(
                    self.shop.server.url("/api/run"), json={"code": "print(1)", "lang": "python"},
                    headers={"Authorization": f"Bearer {self.key}"}, timeout=PATIENCE_S)
                if answer.status_code == 200:
                    with self.lock:
                        self.done += 1
            except (requests.RequestException, ValueError):
                time.sleep(0.02)

    def end(self):
        self.ended.set()
        self.pool.shutdown()


def restart(shop):
    shop.server.process.wait(PATIENCE_S)
    shop.server.start()
    shop.listen()
