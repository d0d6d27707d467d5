"""Server-sent events: O-12, O-13, heartbeats, order, disconnects."""

import json
import socket
import time

import pytest
import requests

from contract import parse_sse
from harness import PATIENCE_S, wait_for


class Stream:
    """One event stream on a connection of its own, read as it comes."""

    def __init__(self, api, body, headers=(), receive_buffer=None):
        data = json.dumps(body).encode()
        head = [
            "POST /api/run HTTP/1.1", "Host: x", f"Authorization: Bearer {api.key}",
            "Content-Type: application/json", "Accept: text/event-stream",
            f"Content-Length: {len(data)}", *headers,
        ]
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", api.server.port))
        self.socket.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + data)
        self.received = b""

    def until(self, marker):
        while marker not in self.received:
            piece = self.socket.recv(65536)
            assert piece, f"the stream ended before {marker!r}: {self.received!r:.2000}"
            self.received += piece
        return self.received

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def python(code, **fields):
    return {"code": code, "lang": "python", **fields}


def events_of(api, body, headers=None):
    answer = api.post("/api/run", body, headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    return parse_sse(answer.text)


@pytest.mark.parametrize("way", ["field", "header"])
def test_events(api, way):
    body = python("import sys; print('o'); print('e', file=sys.stderr); sys.exit(3)")
    headers = {}
    if way == "field":
        body["stream"] = True
    else:
        headers["Accept"] = "text/event-stream"
    events = events_of(api, body, headers)
    assert events[0][0] == "start" and events[-1][0] == "result"
    result = events[-1][1]
    assert events[0][1]["id"] == result["id"] and events[0][1]["createdAt"] == result["createdAt"]
    assert "".join(d["text"] for n, d in events if n == "stdout") == "o\n" == result["stdout"]
    assert "".join(d["text"] for n, d in events if n == "stderr") == "e\n" == result["stderr"]
    assert result["exitCode"] == 3
    assert api.get(f"/api/run/{result['id']}").json() == result


def test_other_accept_headers_get_json(api):
    for accept in ("*/*", "application/json", "text/html, */*", "application/json, text/event-stream;q=0"):
        answer = api.post("/api/run", python("print(1)"), {"Accept": accept})
        assert answer.headers["Content-Type"].startswith("application/json"), accept


def test_output_comes_while_the_program_runs(api):
    """The program waits for a sign that only a client which has seen its output can give."""
    body = python("print('first', flush=True); import time; time.sleep(300)", policy={"timeoutMs": 300000})
    with Stream(api, body) as stream:
        text = stream.until(b"first\\n").decode()
        run_id = json.loads(text[text.index("data: ") + 6 :].split("\n")[0])["id"]
        assert api.get(f"/api/run/{run_id}").json()["status"] == "running"
        assert api.post(f"/api/run/{run_id}/cancel").status_code == 200
        stream.until(b"event: result")


def test_refusals_come_before_the_stream(api):
    answer = api.post("/api/run", python("", stream=True))
    assert answer.status_code == 400 and answer.headers["Content-Type"].startswith("application/json")
    answer = api.request("POST", "/api/run", auth=False, headers={"Accept": "text/event-stream"}, json={})
    assert answer.status_code == 401


def test_characters_are_not_split(api):
    code = """
import os, time
for byte in "é\U0001f600ü".encode():
    os.write(1, bytes([byte])); time.sleep(0.02)
"""
    events = events_of(api, python(code, stream=True, policy={"timeoutMs": 60000}))
    assert "".join(d["text"] for n, d in events if n == "stdout") == "é\U0001f600ü"


def test_special_characters_do_not_break_events(api):
    text = "a\n\nevent: result\ndata: {}\n\r\n\u2028:x"
    events = events_of(api, python(f"import sys; sys.stdout.write({text!r})", stream=True))
    assert [n for n, _ in events] == ["start", "stdout", "result"] or events[-1][1]["stdout"] == text
    assert "".join(d["text"] for n, d in events if n == "stdout") == text


def test_large_output_is_whole(api):
    size = 3 << 20
    events = events_of(api, python(
        f"import sys\nfor i in range({size // 1024}): sys.stdout.write(f'{{i:1023d}}\\n')",
        stream=True, policy={"maxOutputBytes": 10 << 20, "timeoutMs": 120000},
    ))
    text = "".join(d["text"] for n, d in events if n == "stdout")
    assert len(text) == size and text == events[-1][1]["stdout"]


def test_a_client_that_stops_reading_does_not_stop_the_run(api):
    """O-12: memory is bounded by the output limit; the run is not held up."""
    body = python(
        "import sys\nfor _ in range(4096): sys.stdout.write('x' * 1024)",
        policy={"maxOutputBytes": 8 << 20, "timeoutMs": 120000}, userContext={"id": "stalled"},
    )
    with Stream(api, body, receive_buffer=4096):
        run = wait_for(
            lambda: next(iter(api.get("/api/runs", params={"userId": "stalled"}).json()["runs"]), None)
            if api.get("/api/runs", params={"userId": "stalled", "outcome": "ok"}).json()["runs"]
            else None,
            "the run ends although nobody reads",
        )
        assert run["outcome"] == "ok" and not run["truncated"]["stdout"]


def test_a_client_that_goes_away_cancels_its_stream(api):
    """O-13"""
    body = python(
        "print('begun', flush=True); import time; time.sleep(300)",
        policy={"timeoutMs": 300000}, userContext={"id": "gone"},
    )
    with Stream(api, body) as stream:
        stream.until(b"begun")
    run = wait_for(
        lambda: next(iter(api.get("/api/runs", params={"userId": "gone", "outcome": "cancelled"}).json()["runs"]), None),
        "the run is cancelled",
    )
    assert run["exitCode"] == 130
    assert api.get(f"/api/run/{run['id']}").json()["stdout"] == "begun\n"


def test_a_stream_with_an_idempotency_key_is_not_cancelled(api, fresh_key):
    body = python(
        "print('begun', flush=True); import time; time.sleep(1); print('end')",
        policy={"timeoutMs": 60000}, userContext={"id": "kept"},
    )
    with Stream(api, body, [f"Idempotency-Key: {fresh_key}"]) as stream:
        stream.until(b"begun")
    wait_for(
        lambda: api.get("/api/runs", params={"userId": "kept", "outcome": "ok"}).json()["runs"], "it ends"
    )


def test_half_closed_client_still_gets_its_answer(api):
    body = python("print('x')")
    with Stream(api, body) as stream:
        stream.socket.shutdown(socket.SHUT_WR)
        try:
            stream.until(b"event: result")
        except (AssertionError, ConnectionError):
            pass  # counts as gone: also right, as long as nothing is left (leak_check)


def test_heartbeat(api):
    body = python("import time; time.sleep(300)", policy={"timeoutMs": 300000})
    with Stream(api, body) as stream:
        stream.until(b"event: start")
        stream.until(b"\n:")


def test_many_streams_at_once(api):
    import concurrent.futures

    code = "import time\nfor i in range(5): print(i, flush=True); time.sleep(0.05)"
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        jobs = [pool.submit(events_of, api, python(code, stream=True, policy={"timeoutMs": 120000})) for _ in range(30)]
        for job in jobs:
            events = job.result()
            assert "".join(d["text"] for n, d in events if n == "stdout") == "0\n1\n2\n3\n4\n"
            assert events[-1][0] == "result"


def test_abandoned_streams_leave_nothing(api):
    """Clients that go at every stage."""
    body = python("import time; print('x', flush=True); time.sleep(300)", policy={"timeoutMs": 300000},
                  userContext={"id": "abandoned"})
    for delay in (0, 0.001, 0.005, 0.02, 0.05) * 4:
        with Stream(api, body):
            time.sleep(delay)
    wait_for(
        lambda: not any(
            run["status"] != "done"
            for run in api.get("/api/runs", params={"userId": "abandoned", "limit": 200}).json()["runs"]
        ),
        "all end",
    )


def test_stream_of_a_sync_client(api):
    """requests' own line iterator reads it, chunk by chunk."""
    lines = []
    with requests.post(
        api.server.url("/api/run"), json=python("print(1)", stream=True), stream=True,
        headers={"Authorization": api.key}, timeout=PATIENCE_S,
    ) as answer:
        for line in answer.iter_lines():
            lines.append(line)
    assert b"event: start" in lines and b"event: result" in lines
