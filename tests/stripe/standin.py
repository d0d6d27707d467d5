#!/usr/bin/python3
"""A stand-in for Stripe's API on loopback: what the real one checks and remembers, with faults on demand.

In a test: Standin() starts a server in a thread; `account` holds the objects, `faults` what goes wrong,
`requests` what came. By hand: tests/stripe/standin.py --port 12111.
"""

import argparse
import collections
import contextlib
import hashlib
import http.server
import itertools
import json
import random
import re
import socket
import socketserver
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from objects import Account, Refused, public
from wire import BadForm, parse_form, listed, signature_header

VERSION = "2026-10-28.endive"
KEPT_S = 24 * 3600  # answers to an Idempotency-Key
RESTRICTED = {  # what a restricted key may do here: enough for everything the product calls
    "rk_test_docle": re.compile(r"/v1/(billing/|prices|products|customers|checkout/|billing_portal/|subscriptions"
                                r"|invoices|events)|/v2/core/events"),
}

Request = collections.namedtuple("Request", "method path query headers body form at")


class Fault:
    """kind: 429, 409, 500 (nothing done), 500_done, drop (nothing done), drop_done, slow."""

    def __init__(self, kind, pattern=r".", count=1, chance=1.0, seconds=0.0):
        self.kind, self.pattern, self.count, self.chance = kind, re.compile(pattern), count, chance
        self.seconds = seconds


class Dropped(Exception):
    pass


class Answer(Exception):
    """An answer that is given before anything is done, and is not kept."""

    def __init__(self, status, body, headers=()):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, list(headers)


def error(message, kind, **more):
    return {"error": {"type": kind, "message": message, **more}}


class Standin:
    def __init__(self, port=0, key="sk_test_docle"):
        self.account = Account()
        self.account.on_event = self._queue_event
        self.keys = {key}
        self.faults, self.requests = [], []
        self.kept = {}  # Idempotency-Key → [fingerprint, status, body, time]; status None: under way
        self.webhook_url, self.webhook_secrets = None, ["whsec_standin"]
        self.thin_secrets = ["whsec_meter"]  # of the event destination, at the same address
        self.stamp = time.time  # of signatures
        self.outbox, self.deliveries = collections.deque(), []
        self.automatic = True  # events are delivered as they happen
        self.count = itertools.count(1)
        self.draw = random.Random(11)
        self.server = Server(("127.0.0.1", port), self)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # ---- faults ----

    def fault(self, kind, pattern=r".", **more):
        self.faults.append(Fault(str(kind), pattern, **more))

    def _strike(self, line):
        for fault in list(self.faults):
            if fault.pattern.search(line) and self.draw.random() < fault.chance:
                fault.count -= 1
                if fault.count == 0:
                    self.faults.remove(fault)
                return fault
        return None

    # ---- webhooks ----

    def _queue_event(self, event):
        if self.webhook_url:
            self.outbox.append(event)
            if self.automatic:
                threading.Thread(target=self.deliver_all, daemon=True).start()

    def deliver_all(self):
        while self.outbox:
            with contextlib.suppress(IndexError):
                self.deliver(self.outbox.popleft())

    def deliver(self, event, secrets=None, stamp=None, header=None, url=None):
        """Posts one event; its status, or None when nobody answered."""
        body = json.dumps(event, indent=2).encode()
        stamp = stamp if stamp is not None else int(self.stamp())
        own = self.thin_secrets if event["object"] == "v2.core.event" else self.webhook_secrets
        header = header or signature_header(secrets or own, body, stamp)
        request = urllib.request.Request(url or self.webhook_url, body, {
            "Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0",
            "Stripe-Signature": header})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as failure:
            status, text = failure.code, failure.read()
        except OSError:
            status, text = None, b""
        self.deliveries.append((event["id"], status, text))
        return status

    # ---- requests ----

    def handle(self, method, target, headers, body):
        """(status, body, headers); raises Dropped."""
        path, _, query = target.partition("?")
        try:
            record = Request(method, path, query, headers, body, self._read_form(path, headers, body), time.time())
        except BadForm as bad:
            return 400, error(str(bad), "invalid_request_error"), []
        self.requests.append(record)
        try:
            self._check_head(record)
            fault = self._strike(f"{method} {path}")
            if fault:
                self._before(fault)
            with self.account.lock:
                status, answer, more = self._kept(record, fault)
        except Answer as early:
            return early.status, early.body, early.headers
        if fault and fault.kind == "drop_done":
            raise Dropped
        return status, answer, more

    @staticmethod
    def _read_form(path, headers, body):
        if not body or path.startswith("/v2/"):
            return {}
        if headers.get("Content-Type", "").split(";")[0] != "application/x-www-form-urlencoded":
            raise BadForm("Requests are form-encoded: Content-Type application/x-www-form-urlencoded.")
        try:
            return parse_form(body.decode())
        except (UnicodeDecodeError, ValueError) as bad:
            raise BadForm(str(bad)) from None

    def _check_head(self, record):
        scheme, _, key = record.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or (key not in self.keys and key not in RESTRICTED):
            raise Answer(401, error("Invalid API Key provided.", "invalid_request_error"),
                         [("Stripe-Should-Retry", "false")])
        if key in RESTRICTED and not RESTRICTED[key].match(record.path):
            raise Answer(403, error("The provided key does not have access.", "invalid_request_error",
                                    code="secret_key_required"))
        if record.headers.get("Stripe-Version") != VERSION:
            raise Answer(400, error(f"Stripe-Version must be {VERSION} here.", "invalid_request_error"))
        if record.method == "POST" and len(record.headers.get("Idempotency-Key", "")) > 255:
            raise Answer(400, error("Idempotency-Key is longer than 255.", "idempotency_error"))

    @staticmethod
    def _before(fault):
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        elif fault.kind == "drop":
            raise Dropped
        elif fault.kind == "429":
            raise Answer(429, error("Too many requests.", "invalid_request_error", code="rate_limit"))
        elif fault.kind == "409":
            raise Answer(409, error("Another request is in progress.", "idempotency_error",
                                    code="idempotency_key_in_use"))

    def _kept(self, record, fault):
        """Answers of a key are kept from the moment that the work has begun, failures too."""
        key = record.headers.get("Idempotency-Key") if record.method == "POST" else None
        mark = hashlib.sha256(json.dumps([record.path, record.form], sort_keys=True).encode()).hexdigest()
        if key in self.kept and self.account.now() - self.kept[key][3] < KEPT_S:
            known, status, answer, _ = self.kept[key]
            if known != mark:
                raise Answer(400, error(
                    "Keys for idempotent requests can only be used with the same parameters they were first "
                    "used with.", "idempotency_error"), [("Stripe-Should-Retry", "false")])
            return status, answer, [("Idempotent-Replayed", "true"), ("Original-Request", "req_1")]
        broken = {"error": {"type": "api_error", "message": "Something went wrong."}}
        if fault and fault.kind == "500":
            status, answer = 500, broken
        else:
            try:
                status, answer = 200, public(self._answer(record))
            except BadForm as bad:
                raise Answer(400, error(str(bad), "invalid_request_error")) from None
            except Refused as refused:
                raise Answer(refused.status, refused.body(), [("Stripe-Should-Retry", "false")]) from None
            if fault and fault.kind == "500_done":
                status, answer = 500, broken
        if key:
            self.kept[key] = [mark, status, answer, self.account.now()]
        return status, answer, []

    def _answer(self, record):
        for (method, pattern), work in ROUTES.items():
            found = re.fullmatch(pattern, record.path)
            if found and method == record.method:
                try:
                    query = parse_form(record.query)
                except ValueError as bad:
                    raise BadForm(str(bad)) from None
                return work(self.account, record.form if method == "POST" else query, *found.groups())
        raise Refused(f"Unrecognized request URL ({record.method}: {record.path}).", status=404)

    # ---- what tests ask ----

    def metered(self, event_name, customer=None):
        """All that a meter was told, aggregated or not."""
        with self.account.lock:
            return sum(int(e["value"]) for e in self.account.meter_events
                       if e["event_name"] == event_name and not e["cancelled"]
                       and customer in (None, e["customer"]))


def page(url, rows, p):
    """Newest first, as given; at most `limit` after `starting_after`."""
    limit = int(p.get("limit", 10))
    if not 1 <= limit <= 100:
        raise Refused("limit must be between 1 and 100.", param="limit")
    if after := p.get("starting_after"):
        ids = [row["id"] for row in rows]
        if after not in ids:
            raise Refused(f"No such object: {after}", param="starting_after")
        rows = rows[ids.index(after) + 1:]
    return {"object": "list", "url": url, "data": rows[:limit], "has_more": len(rows) > limit}


def newest(table):
    return list(reversed(list(table.values())))


def list_prices(a, p):
    keys = listed(p.get("lookup_keys"))
    return page("/v1/prices", [x for x in newest(a.prices) if not keys or x["lookup_key"] in keys], p)


def list_subscriptions(a, p):
    status, customer = p.get("status"), p.get("customer")
    return page("/v1/subscriptions", [
        x for x in newest(a.subscriptions)
        if customer in (None, x["customer"]) and (status == "all" or status == x["status"]
                                                  or (not status and x["status"] != "canceled"))], p)


def list_events(a, p):
    since, kinds = int(p.get("created", {}).get("gte", 0)), listed(p.get("types"))
    return page("/v1/events", [x for x in newest(a.events)
                               if x["created"] >= since and (not kinds or x["type"] in kinds)], p)


def list_thin(a, p):
    """Moments as text, pages by a token in next_page_url."""
    since, kinds = p.get("created", {}).get("gte", ""), listed(p.get("types"))
    limit, skip = int(p.get("limit", 20)), int(p.get("page", "0"))
    if not 1 <= limit <= 100 or len(kinds) > 20:
        raise Refused("limit must be between 1 and 100, and there may be 20 types.")
    rows = [x for x in newest(a.thin_events) if x["created"] >= since and (not kinds or x["type"] in kinds)]
    more = urllib.parse.urlencode({**{f"types[{i}]": kind for i, kind in enumerate(kinds)}, "created[gte]": since,
                                   "limit": limit, "page": skip + limit})
    return {"data": rows[skip:skip + limit], "previous_page_url": None,
            "next_page_url": f"/v2/core/events?{more}" if len(rows) > skip + limit else None}


ID = r"([A-Za-z0-9_]+)"
ROUTES = {
    ("POST", "/v1/billing/meters"): lambda a, p: a.create_meter(p),
    ("GET", "/v1/billing/meters"): lambda a, p: page("/v1/billing/meters", [
        m for m in newest(a.meters) if p.get("status") in (None, m["status"])], p),
    ("GET", f"/v1/billing/meters/{ID}"): lambda a, p, i: a.found(a.meters, i, "meter"),
    ("GET", f"/v1/billing/meters/{ID}/event_summaries"): lambda a, p, i: page(
        f"/v1/billing/meters/{i}/event_summaries", a.summaries(i, p), p),
    ("POST", "/v1/billing/meter_events"): lambda a, p: a.create_meter_event(p),
    ("POST", "/v1/billing/meter_event_adjustments"): lambda a, p: a.adjust(p),
    ("POST", "/v1/products"): lambda a, p: a.create_product(p),
    ("GET", f"/v1/products/{ID}"): lambda a, p, i: a.found(a.products, i, "product"),
    ("POST", "/v1/prices"): lambda a, p: a.create_price(p),
    ("GET", "/v1/prices"): list_prices,
    ("GET", f"/v1/prices/{ID}"): lambda a, p, i: a.found(a.prices, i, "price"),
    ("POST", "/v1/customers"): lambda a, p: a.create_customer(p),
    ("GET", f"/v1/customers/{ID}"): lambda a, p, i: a.found(a.customers, i, "customer"),
    ("POST", "/v1/checkout/sessions"): lambda a, p: a.create_session(p),
    ("GET", f"/v1/checkout/sessions/{ID}"): lambda a, p, i: a.found(a.sessions, i, "checkout.session"),
    ("POST", "/v1/billing_portal/sessions"): lambda a, p: a.create_portal(p),
    ("GET", "/v1/subscriptions"): list_subscriptions,
    ("GET", f"/v1/subscriptions/{ID}"): lambda a, p, i: a.found(a.subscriptions, i, "subscription"),
    ("DELETE", f"/v1/subscriptions/{ID}"): lambda a, p, i: a.cancel(i, p),
    ("GET", "/v1/invoices"): lambda a, p: page("/v1/invoices", [
        x for x in newest(a.invoices) if p.get("customer") in (None, x["customer"])], p),
    ("GET", f"/v1/invoices/{ID}"): lambda a, p, i: a.found(a.invoices, i, "invoice"),
    ("POST", f"/v1/invoices/{ID}"): lambda a, p, i: a.update_invoice(i, p),
    ("GET", "/v1/events"): list_events,
    ("GET", f"/v1/events/{ID}"): lambda a, p, i: a.found(a.events, i, "event"),
    ("GET", "/v2/core/events"): list_thin,
    ("GET", f"/v2/core/events/{ID}"): lambda a, p, i: a.found(a.thin_events, i, "event"),
}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, standin):
        super().__init__(address, Handler)
        self.standin = standin

    def handle_error(self, request, client_address):
        pass  # clients are killed on purpose


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def _serve(self):
        standin = self.server.standin
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, answer, more = standin.handle(self.command, self.path, self.headers, body)
        except Dropped:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        text = json.dumps(answer, indent=2).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(text))),
                            ("Request-Id", f"req_{next(standin.count)}"), ("Stripe-Version", VERSION), *more]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _serve


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--webhook", help="where events are sent")
    arguments = parser.parse_args()
    standin = Standin(arguments.port)
    standin.webhook_url = arguments.webhook
    print(f"Serving on {standin.url}, key {next(iter(standin.keys))}", flush=True)
    standin.thread.join()


if __name__ == "__main__":
    main()
