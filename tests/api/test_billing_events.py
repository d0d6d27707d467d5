"""Usage as CloudEvents and as Lago's events: what is sent, once, to a receiver that fails now and then."""

import contextlib
import http.server
import json
import threading

import pytest

from harness import wait_for


class Receiver(http.server.ThreadingHTTPServer):
    """Takes events, remembers their ids; answers the given statuses first."""

    daemon_threads = True

    def __init__(self, *statuses):
        self.statuses, self.requests, self.taken = list(statuses), [], {}
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.server.requests.append((dict(self.headers), body))
        event = body.get("event", body)
        if status in (204, None):
            self.server.taken[event.get("id") or event["transaction_id"]] = event
        if status is None:  # taken, and the answer is lost
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("shape", ["cloudevents", "lago"])
def test_events(own_server, make_client, tmp_path, shape):
    receiver = Receiver(503, None, 429)
    (tmp_path / "token").write_text("secret-token")
    server = own_server(
        "--billing-events-url", f"http://127.0.0.1:{receiver.server_address[1]}/events", "--billing-events-format", shape,
        "--billing-events-token-file", str(tmp_path / "token"), "--billing-batch-seconds", "1",
        env={"BILLING": "cloudevents"})
    api = make_client(server, server.create_key()["key"])
    for _ in range(3):
        api.run("print(1)")
    wait_for(lambda: server.query("SELECT COUNT(*) FROM meter_pending") == [(0,)] and server.query(
        "SELECT COUNT(*) FROM meter_events WHERE state <> 'acked'") == [(0,)], "all is told")
    (project,), = server.query("SELECT id FROM projects")
    stored = dict(server.query("SELECT id, value FROM meter_events"))
    assert set(receiver.taken) == set(stored)
    for headers, body in receiver.requests:
        assert headers["Authorization"] == "Bearer secret-token"
        if shape == "cloudevents":
            assert headers["Content-Type"].startswith("application/cloudevents+json")
            assert body["specversion"] == "1.0" and body["subject"] == project and body["source"]
            assert body["type"] in ("docle_runs", "docle_cpu_ms") and body["data"]["value"] == stored[body["id"]]
        else:
            event = body["event"]
            assert event["external_subscription_id"] == project and event["code"] in ("docle_runs", "docle_cpu_ms")
            assert event["properties"]["value"] == stored[event["transaction_id"]]
    assert server.query("SELECT SUM(value) FROM meter_events WHERE meter = 'runs'") == [(3,)]
    assert "secret-token" not in server.log_text()
    assert api.get("/api/billing").json()["billing"] == "cloudevents"
    with contextlib.suppress(OSError):
        receiver.shutdown()
