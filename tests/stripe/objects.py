"""What the stand-in knows: objects of the account, and what its clock does to them."""

import itertools
import random
import string
import threading
import time

from wire import listed

DAY = 24 * 3600
MONTH = 30 * DAY  # of a subscription here; the length is in no contract
FINALIZE_S = 3600
METER_EVENT_PAST_S = 35 * DAY
METER_EVENT_AHEAD_S = 300
IDENTIFIER_S = 24 * 3600


class Refused(Exception):
    """An error that the API answers."""

    def __init__(self, message, status=400, kind="invalid_request_error", code=None, param=None):
        super().__init__(message)
        self.status, self.kind, self.code, self.param = status, kind, code, param

    def body(self):
        error = {"type": self.kind, "message": str(self)}
        return {"error": {**error, **{k: v for k, v in (("code", self.code), ("param", self.param)) if v}}}


def need(params, name, longest=5000):
    value = params.get(name)
    if not value or not isinstance(value, str):
        raise Refused(f"Missing required param: {name}.", code="parameter_missing", param=name)
    if len(value) > longest:
        raise Refused(f"Invalid string: {name} is longer than {longest} characters.", param=name)
    return value


def only(params, *names):
    for name in params:
        if name not in names and name != "expand":
            raise Refused(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


class Account:
    """All under one lock: whoever calls from outside takes it."""

    def __init__(self):
        self.lock = threading.RLock()
        self.offset = 0.0
        self.count = itertools.count(1)
        self.draw = random.Random(7)
        self.aggregation_delay = 0
        self.meters, self.products, self.prices, self.customers = {}, {}, {}, {}
        self.sessions, self.portals, self.subscriptions, self.invoices = {}, {}, {}, {}
        self.meter_events = []  # those that were taken, in order
        self.identifiers = {}  # identifier → when it was received
        self.events, self.thin_events = {}, {}
        self.on_event = lambda event: None
        self.async_error = None  # a code: usage is taken, not counted, and reported by a thin event

    # ---- clock ----

    def now(self):
        return int(time.time() + self.offset)

    def advance(self, seconds):
        """Moves the clock on; what is due meanwhile happens in order."""
        with self.lock:
            end = self.now() + seconds
            while True:
                due = self._next_due()
                if due is None or due[0] > end:
                    break
                self.offset += max(0, due[0] - self.now())
                due[1]()
            self.offset += max(0, end - self.now())

    def _next_due(self):
        due = []
        for invoice in self.invoices.values():
            if invoice["status"] == "draft" and invoice["automatically_finalizes_at"]:
                due.append((invoice["automatically_finalizes_at"], lambda i=invoice: self.finalize(i)))
        for sub in self.subscriptions.values():
            if sub["status"] in ("active", "past_due", "trialing"):
                due.append((sub["items"]["data"][0]["current_period_end"], lambda s=sub: self.renew(s)))
        return min(due, key=lambda entry: entry[0], default=None)

    # ---- objects ----

    def make_id(self, prefix):
        tail = "".join(self.draw.choices(string.ascii_letters + string.digits, k=14))
        return f"{prefix}_{next(self.count)}{tail}"

    def emit(self, kind, thing):
        event = {
            "id": self.make_id("evt"), "object": "event", "api_version": "2026-10-28.endive",
            "created": self.now(), "type": kind, "livemode": False, "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None}, "data": {"object": _copy(thing)},
        }
        self.events[event["id"]] = event
        self.on_event(event)
        return event

    def create_meter(self, p):
        only(p, "display_name", "event_name", "default_aggregation", "customer_mapping", "value_settings",
             "event_time_window")
        need(p, "display_name", 250)
        name = need(p, "event_name", 100)
        if p.get("default_aggregation", {}).get("formula") not in ("sum", "count", "last"):
            raise Refused("Missing required param: default_aggregation[formula].")
        if any(m["event_name"] == name and m["status"] == "active" for m in self.meters.values()):
            raise Refused(f"An active meter already exists with event_name {name}.")
        mapping = p.get("customer_mapping", {"event_payload_key": "stripe_customer_id", "type": "by_id"})
        meter = {
            "id": self.make_id("mtr"), "object": "billing.meter", "created": self.now(),
            "updated": self.now(), "display_name": p["display_name"], "event_name": name,
            "status": "active", "default_aggregation": p["default_aggregation"], "livemode": False,
            "customer_mapping": mapping, "event_time_window": p.get("event_time_window"),
            "value_settings": p.get("value_settings", {"event_payload_key": "value"}),
            "status_transitions": {"deactivated_at": None},
        }
        self.meters[meter["id"]] = meter
        return meter

    def create_product(self, p):
        only(p, "name", "id", "metadata", "description")
        product = {"id": p.get("id") or self.make_id("prod"), "object": "product", "active": True,
                   "name": need(p, "name"), "metadata": p.get("metadata", {}), "created": self.now(),
                   "livemode": False}
        if product["id"] in self.products:
            raise Refused("Product already exists.", code="resource_already_exists", param="id")
        self.products[product["id"]] = product
        return product

    def create_price(self, p):
        only(p, "currency", "product", "product_data", "recurring", "unit_amount", "unit_amount_decimal",
             "lookup_key", "transfer_lookup_key", "nickname", "metadata", "billing_scheme")
        recurring = p.get("recurring", {})
        if recurring.get("usage_type") == "metered":
            if "meter" not in recurring:
                raise Refused("Metered prices must be backed by a meter: recurring[meter] is missing.",
                              param="recurring[meter]")
            if recurring["meter"] not in self.meters:
                raise Refused(f"No such meter: '{recurring['meter']}'", code="resource_missing")
        if "unit_amount" not in p and "unit_amount_decimal" not in p:
            raise Refused("Missing required param: unit_amount.")
        if p.get("product") is not None and p["product"] not in self.products:
            raise Refused(f"No such product: '{p['product']}'", code="resource_missing", param="product")
        key = p.get("lookup_key")
        if key and any(price["lookup_key"] == key for price in self.prices.values()):
            raise Refused(f"A price ({key}) already uses that lookup key.")
        product = p.get("product") or self.create_product(p.get("product_data", {}))["id"]
        price = {
            "id": self.make_id("price"), "object": "price", "active": True, "currency": need(p, "currency"),
            "product": product, "type": "recurring" if recurring else "one_time", "livemode": False,
            "lookup_key": key, "billing_scheme": "per_unit", "created": self.now(), "nickname": p.get("nickname"),
            "unit_amount": int(p["unit_amount"]) if "unit_amount" in p else None,
            "unit_amount_decimal": p.get("unit_amount_decimal") or p.get("unit_amount"),
            "recurring": {"interval": recurring.get("interval"), "interval_count": 1,
                          "usage_type": recurring.get("usage_type", "licensed"),
                          "meter": recurring.get("meter"), "trial_period_days": None}
            if recurring else None,
        }
        self.prices[price["id"]] = price
        return price

    def create_customer(self, p):
        only(p, "email", "name", "metadata", "description")
        customer = {"id": self.make_id("cus"), "object": "customer", "created": self.now(),
                    "email": p.get("email"), "name": p.get("name"), "metadata": p.get("metadata", {}),
                    "livemode": False, "currency": None, "delinquent": False}
        self.customers[customer["id"]] = customer
        self.emit("customer.created", customer)
        return customer

    def customer(self, key):
        if key not in self.customers:
            raise Refused(f"No such customer: '{key}'", code="resource_missing", param="customer")
        return self.customers[key]

    def create_session(self, p):
        only(p, "mode", "customer", "client_reference_id", "line_items", "subscription_data", "metadata",
             "success_url", "cancel_url")
        if p.get("mode") != "subscription":
            raise Refused("The stand-in knows mode=subscription only.", param="mode")
        self.customer(need(p, "customer"))
        for i, item in enumerate(listed(p.get("line_items"))):
            price = self.prices.get(item.get("price"))
            if not price:
                raise Refused(f"No such price: '{item.get('price')}'", code="resource_missing",
                              param=f"line_items[{i}][price]")
            if price["recurring"]["usage_type"] == "metered" and "quantity" in item:
                raise Refused("Quantity should not be specified where usage_type is `metered`. Remove "
                              f"`line_items[{i}][quantity]`.", param=f"line_items[{i}][quantity]")
        need(p, "success_url")
        need(p, "cancel_url")
        session = {
            "id": self.make_id("cs_test"), "object": "checkout.session", "mode": "subscription",
            "customer": p["customer"], "client_reference_id": p.get("client_reference_id"),
            "status": "open", "payment_status": "unpaid", "metadata": p.get("metadata", {}),
            "subscription": None, "success_url": p["success_url"], "cancel_url": p["cancel_url"],
            "created": self.now(), "expires_at": self.now() + DAY, "livemode": False,
        }
        session["url"] = f"https://checkout.invalid/c/pay/{session['id']}"
        self.sessions[session["id"]] = {**session, "_p": p}
        return session

    def create_portal(self, p):
        only(p, "customer", "return_url", "configuration")
        self.customer(need(p, "customer"))
        portal = {"id": self.make_id("bps"), "object": "billing_portal.session", "customer": p["customer"],
                  "return_url": p.get("return_url"), "created": self.now(), "livemode": False}
        portal["url"] = f"https://billing.invalid/p/session/{portal['id']}"
        self.portals[portal["id"]] = portal
        return portal

    # ---- metering ----

    def create_meter_event(self, p):
        only(p, "event_name", "payload", "identifier", "timestamp")
        name, payload, now = need(p, "event_name", 100), p.get("payload"), self.now()
        if not isinstance(payload, dict):
            raise Refused("Missing required param: payload.", param="payload")
        stamp = p.get("timestamp", str(now))
        if not stamp.isdigit():
            raise Refused(f"Invalid integer: {stamp}", param="timestamp")
        stamp = int(stamp)
        if stamp < now - METER_EVENT_PAST_S:
            raise Refused("The timestamp is more than 35 calendar days in the past.",
                          code="timestamp_too_far_in_past", param="timestamp")
        if stamp > now + METER_EVENT_AHEAD_S:
            raise Refused("The timestamp is more than 5 minutes in the future.",
                          code="timestamp_in_future", param="timestamp")
        meter = next((m for m in self.meters.values()
                      if m["event_name"] == name and m["status"] == "active"), None)
        if not meter:
            raise Refused(f"No active meter found with event_name '{name}'.", code="no_meter")
        identifier = p.get("identifier") or self.make_id("idmp")
        if len(identifier) > 100:
            raise Refused("Invalid string: identifier is longer than 100 characters.", param="identifier")
        if now - self.identifiers.get(identifier, -IDENTIFIER_S) < IDENTIFIER_S:
            raise Refused(f"An event already exists with identifier {identifier}.")
        for key in (meter["customer_mapping"]["event_payload_key"], meter["value_settings"]["event_payload_key"]):
            if not isinstance(payload.get(key), str) or not payload[key]:
                raise Refused(f"Missing payload[{key}].", param=f"payload[{key}]")
        value = payload[meter["value_settings"]["event_payload_key"]]
        try:
            number = float(value)
        except ValueError:
            raise Refused(f"Invalid value: {value}", code="meter_event_invalid_value") from None
        self.identifiers[identifier] = now
        entry = {"object": "billing.meter_event", "created": now, "event_name": name, "livemode": False,
                 "identifier": identifier, "payload": payload, "timestamp": stamp}
        customer = payload[meter["customer_mapping"]["event_payload_key"]]
        if self.async_error:
            self.report_error(meter, entry, self.async_error)
        elif customer in self.customers:
            self.meter_events.append({**entry, "meter": meter["id"], "customer": customer,
                                      "value": number, "received": now, "cancelled": False})
        else:
            self.report_error(meter, entry, "meter_event_customer_not_found")
        return entry

    def report_error(self, meter, entry, code):
        """A thin event: what is sent names it, what it says is read from /v2/core/events/ID. meter None: there is none."""
        kind = "error_report_triggered" if meter else "no_meter_found"
        event = {
            "id": self.make_id("evt"), "object": "v2.core.event", "livemode": False,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.now())),
            "type": f"v1.billing.meter.{kind}",
            **({"related_object": {"id": meter["id"], "type": "billing.meter",
                                   "url": f"/v1/billing/meters/{meter['id']}"}} if meter else {}),
            "data": {"developer_message_summary": "There is 1 invalid event",
                     "reason": {"error_count": 1, "error_types": [{
                         "code": code, "error_count": 1,
                         "sample_errors": [{"error_message": code, "request": {"identifier": entry["identifier"]}}],
                     }]},
                     "validation_start": None, "validation_end": None},
        }
        self.thin_events[event["id"]] = event
        self.on_event({k: v for k, v in event.items() if k != "data"})

    def adjust(self, p):
        only(p, "event_name", "type", "cancel")
        identifier = p.get("cancel", {}).get("identifier")
        for entry in self.meter_events:
            if entry["identifier"] == identifier and entry["event_name"] == need(p, "event_name"):
                if self.now() - entry["received"] > IDENTIFIER_S:
                    raise Refused("Events can be cancelled within 24 hours.")
                entry["cancelled"] = True
                return {"object": "billing.meter_event_adjustment", "event_name": p["event_name"],
                        "type": "cancel", "cancel": {"identifier": identifier}, "status": "pending",
                        "livemode": False}
        raise Refused(f"No event with identifier {identifier}.", code="resource_missing")

    def counted(self, meter_id, customer, start, end, late=False):
        """What the meter shows (late: will show) of [start, end)."""
        return sum(
            e["value"] for e in self.meter_events
            if e["meter"] == meter_id and e["customer"] == customer and start <= e["timestamp"] < end
            and not e["cancelled"] and (late or e["received"] + self.aggregation_delay <= self.now())
        )

    def summaries(self, meter_id, p):
        if meter_id not in self.meters:
            raise Refused(f"No such meter: '{meter_id}'", status=404, code="resource_missing")
        customer = need(p, "customer")
        start, end = int(need(p, "start_time")), int(need(p, "end_time"))
        window = p.get("value_grouping_window")
        step = {"hour": 3600, "day": DAY, None: end - start}.get(window)
        if not step or start % 60 or end % 60 or (window and (start % step or end % step)) or end <= start:
            raise Refused("start_time and end_time must be aligned with the window.")
        rows = []
        for at in range(end - step, start - 1, -step):
            value = self.counted(meter_id, customer, at, at + step)
            if value or not window:
                rows.append({"id": f"mtrusg_{meter_id}_{customer}_{at}", "meter": meter_id,
                             "object": "billing.meter_event_summary", "livemode": False,
                             "start_time": at, "end_time": at + step, "aggregated_value": value})
        return rows

    # ---- subscriptions and invoices ----

    def complete_checkout(self, session_id, status="active"):
        """What a person does on Stripe's page."""
        with self.lock:
            session = self.sessions[session_id]
            params = session.pop("_p")
            sub = self._subscribe(session["customer"], listed(params["line_items"]),
                                  params.get("subscription_data", {}).get("metadata", {}), status)
            session.update(status="complete", payment_status="paid", subscription=sub["id"])
            self.emit("checkout.session.completed", session)
            return sub

    def _subscribe(self, customer, items, metadata, status):
        now = self.now()
        sub = {
            "id": self.make_id("sub"), "object": "subscription", "customer": customer, "status": status,
            "metadata": metadata, "created": now, "start_date": now, "billing_cycle_anchor": now,
            "cancel_at_period_end": False, "canceled_at": None, "ended_at": None, "livemode": False,
            "currency": self.prices[items[0]["price"]]["currency"], "latest_invoice": None,
            "collection_method": "charge_automatically", "pause_collection": None,
            "items": {"object": "list", "has_more": False, "url": "/v1/subscription_items", "data": [
                {"id": self.make_id("si"), "object": "subscription_item", "created": now,
                 "price": self.prices[item["price"]], "metadata": {},
                 "current_period_start": now, "current_period_end": now + MONTH}
                for item in items]},
        }
        self.subscriptions[sub["id"]] = sub
        self.emit("customer.subscription.created", sub)
        return sub

    def set_status(self, sub_id, status):
        with self.lock:
            sub = self.subscriptions[sub_id]
            sub["status"] = status
            if status == "canceled":
                sub["canceled_at"] = sub["ended_at"] = self.now()
                return self.emit("customer.subscription.deleted", sub)
            return self.emit("customer.subscription.updated", sub)

    def cancel(self, sub_id, p):
        """DELETE: at once. Metered usage is on a last invoice with invoice_now only, else it is lost."""
        only(p, "invoice_now", "prorate", "cancellation_details")
        for name in ("invoice_now", "prorate"):
            if p.get(name, "false") not in ("true", "false"):
                raise Refused(f"Invalid boolean: {p[name]}", param=name)
        sub = self.found(self.subscriptions, sub_id, "subscription")
        if sub["status"] in ("canceled", "incomplete_expired"):
            raise Refused(f"No such subscription: '{sub_id}'", status=404, code="resource_missing", param="id")
        sub["status"] = "canceled"
        sub["canceled_at"] = sub["ended_at"] = self.now()
        if p.get("invoice_now") == "true":
            start = sub["items"]["data"][0]["current_period_start"]
            self._draft(sub, start, self.now() + 1, "subscription_update")  # with what was used in this second
        self.emit("customer.subscription.deleted", sub)
        return sub

    def renew(self, sub):
        items = sub["items"]["data"]
        start, end = items[0]["current_period_start"], items[0]["current_period_end"]
        for item in items:
            item.update(current_period_start=end, current_period_end=end + MONTH)
        self._draft(sub, start, end, "subscription_cycle")
        self.emit("customer.subscription.updated", sub)

    def _draft(self, sub, start, end, reason):
        items = sub["items"]["data"]
        invoice = {
            "id": self.make_id("in"), "object": "invoice", "customer": sub["customer"], "status": "draft",
            "billing_reason": reason, "currency": sub["currency"], "created": self.now(),
            "period_start": start, "period_end": end, "auto_advance": True, "attempt_count": 0,
            "automatically_finalizes_at": self.now() + FINALIZE_S, "number": None, "livemode": False,
            "amount_due": 0, "amount_paid": 0, "amount_remaining": 0, "total": 0,
            "hosted_invoice_url": None, "invoice_pdf": None,
            "status_transitions": {"finalized_at": None, "paid_at": None, "voided_at": None},
            "parent": {"type": "subscription_details", "subscription_details": {
                "subscription": sub["id"], "metadata": sub["metadata"]}},
            "_lines": [(item["price"], start, end) for item in items],
        }
        self.invoices[invoice["id"]] = invoice
        sub["latest_invoice"] = invoice["id"]
        self.emit("invoice.created", invoice)

    def finalize(self, invoice):
        total = 0.0
        for price, start, end in invoice["_lines"]:
            meter = price["recurring"]["meter"]
            total += self.counted(meter, invoice["customer"], start, end, late=True) * float(price["unit_amount_decimal"])
        total = round(total)
        invoice.update(status="open", amount_due=total, amount_remaining=total, total=total,
                       automatically_finalizes_at=None, number=f"DOC-{next(self.count):04}",
                       hosted_invoice_url=f"https://invoice.invalid/i/{invoice['id']}",
                       invoice_pdf=f"https://invoice.invalid/i/{invoice['id']}/pdf")
        invoice["status_transitions"]["finalized_at"] = self.now()
        self.emit("invoice.finalized", invoice)
        if self.customers[invoice["customer"]]["delinquent"]:
            self.fail_payment(invoice["id"])
        else:
            self.pay(invoice["id"])

    def fail_payment(self, invoice_id):
        with self.lock:
            invoice = self.invoices[invoice_id]
            invoice["attempt_count"] += 1
            self.emit("invoice.payment_failed", invoice)

    def pay(self, invoice_id):
        with self.lock:
            invoice = self.invoices[invoice_id]
            invoice.update(status="paid", amount_paid=invoice["amount_due"], amount_remaining=0)
            invoice["status_transitions"]["paid_at"] = self.now()
            self.emit("invoice.paid", invoice)
            self.emit("invoice.payment_succeeded", invoice)

    def update_invoice(self, invoice_id, p):
        only(p, "automatically_finalizes_at", "metadata", "auto_advance")
        invoice = self.found(self.invoices, invoice_id, "invoice")
        if "automatically_finalizes_at" in p:
            if invoice["status"] != "draft":
                raise Refused("This invoice is no longer editable.", code="invoice_not_editable")
            at = int(p["automatically_finalizes_at"])
            if at <= self.now():
                raise Refused("automatically_finalizes_at must be in the future.")
            invoice["automatically_finalizes_at"] = at
        return invoice

    def found(self, table, key, what):
        if key not in table:
            raise Refused(f"No such {what}: '{key}'", status=404, code="resource_missing", param="id")
        return table[key]


def _copy(thing):
    """As it is now; names that begin with "_" are the stand-in's own."""
    if isinstance(thing, dict):
        return {k: _copy(v) for k, v in thing.items() if not k.startswith("_")}
    if isinstance(thing, list):
        return [_copy(v) for v in thing]
    return thing


public = _copy
