#!/usr/bin/python3
"""The stand-in for Stripe as a program: tells its URL and prices, then does what each line of its input says.

A line in: {"do": NAME, "with": [...]}; a line out: what came of it, or {"error": ...}.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stripe"))

from objects import public  # noqa: E402 pylint: disable=wrong-import-position
from standin import Standin  # noqa: E402 pylint: disable=wrong-import-position

METERS = {"docle_runs": "100", "docle_cpu_ms": "0.0001"}  # cents


class Shop:
    def __init__(self):
        self.stripe = Standin()
        self.account = self.stripe.account
        self.prices = []
        with self.account.lock:
            for name, amount in METERS.items():
                meter = self.account.create_meter({"display_name": name, "event_name": name,
                                                   "default_aggregation": {"formula": "sum"}})
                self.prices.append(self.account.create_price({
                    "currency": "usd", "unit_amount_decimal": amount, "product_data": {"name": name},
                    "recurring": {"interval": "month", "usage_type": "metered", "meter": meter["id"]}})["id"])

    def listen(self, url):
        self.stripe.webhook_url = url

    def checkout(self, session):
        """What a person does on the page of the checkout; where that leads them."""
        self.account.complete_checkout(session)
        return self.account.sessions[session]["success_url"]

    def metered(self, name):
        return self.stripe.metered(name)

    def bill(self, card_works):
        """The period of the only subscription ends; its invoice."""
        with self.account.lock:
            (subscription,) = self.account.subscriptions.values()
            self.account.customers[subscription["customer"]]["delinquent"] = not card_works
            self.account.renew(subscription)
            invoice = self.account.invoices[subscription["latest_invoice"]]
            self.account.finalize(invoice)
            if not card_works:
                self.account.set_status(subscription["id"], "past_due")
            return invoice["id"]

    def pay(self, invoice):
        with self.account.lock:
            (subscription,) = self.account.subscriptions.values()
            self.account.pay(invoice)
            self.account.set_status(subscription["id"], "active")


def main():
    shop = Shop()
    print(json.dumps({"url": shop.stripe.url, "prices": shop.prices}), flush=True)
    for line in sys.stdin:
        wish = json.loads(line)
        try:
            answer = public({"is": getattr(shop, wish["do"])(*wish["with"])})
        except (KeyError, ValueError, AttributeError) as failure:
            answer = {"error": repr(failure)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
