"""Many at once: mixed requests, full queues, fairness."""

import concurrent.futures
import json
import random

import pytest
import requests

from harness import PATIENCE_S, wait_for

LONG = {"timeoutMs": 300000}


def test_500_mixed_requests(server, api):
    """Every answer belongs to its request, whatever runs beside it."""
    mark = random.Random(5)

    def good(i):
        result = api.run(f"print({i})", policy=LONG)
        assert result["stdout"] == f"{i}\n"

    def node(i):
        assert api.run(f"console.log({i})", "node", policy=LONG)["stdout"] == f"{i}\n"

    def failing(i):
        assert api.run(f"raise SystemExit({i % 100 + 1})", policy=LONG)["exitCode"] == i % 100 + 1

    def slow(i):
        assert api.run("while True: pass", policy={"timeoutMs": 200})["outcome"] == "timeout"

    def bad(i):
        assert api.post("/api/run", {"code": "", "lang": "python"}).status_code == 400

    def stranger(i):
        assert api.request("POST", "/api/run", auth=False, json={}).status_code == 401

    def reader(i):
        assert api.get("/api/runs?limit=5").status_code == 200

    def streamer(i):
        answer = api.post("/api/run", {"code": f"print({i})", "lang": "python", "stream": True, "policy": LONG})
        events = api.contract.check_events(answer.text, "stream")
        assert events[-1][1]["stdout"] == f"{i}\n"

    def noisy(i):
        result = api.run("print('x' * 100000)", policy={"maxOutputBytes": 2048, **LONG})
        assert result["truncated"]["stdout"]

    kinds = [good] * 8 + [node] * 4 + [failing, slow, bad, bad, stranger, stranger, reader, reader, streamer, noisy]
    work = [(mark.choice(kinds), i) for i in range(500)]
    # Below the bound of the project's queue: nothing is refused here.
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        for job in [pool.submit(kind, i) for kind, i in work]:
            job.result()
    assert server.metrics()["docle_queue_depth"] == 0


@pytest.fixture
def small(own_server):
    return own_server(
        "--slots", "1", "--project-queued", "3", "--queue-max", "5", "--queue-wait-seconds", "300"
    )


def hold(client, pool, count, user):
    """Fills slot and queue with `count` runs that do not end; their ids once all are there."""
    jobs = [
        pool.submit(client.post, "/api/run", {
            "code": "import time; time.sleep(1e9)", "lang": "python", "policy": LONG,
            "userContext": {"id": user},
        })
        for _ in range(count)
    ]

    def there():
        open_runs = [
            run["id"] for run in client.get("/api/runs", params={"userId": user}).json()["runs"]
            if run["status"] != "done"
        ]
        return open_runs if len(open_runs) == count else None

    return jobs, wait_for(there, f"{count} runs are there")


def release(client, jobs, ids):
    for run_id in ids:
        client.post(f"/api/run/{run_id}/cancel")
    for job in jobs:
        assert job.result(PATIENCE_S).json()["outcome"] == "cancelled"


def test_own_limit_is_429_and_a_full_server_503(small, make_client):
    """L-09: at once, with Retry-After and a next step; both end when there is room again."""
    first = make_client(small, small.create_key("first")["key"])
    second = make_client(small, small.create_key("second")["key"])
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs, ids = hold(first, pool, 4, "f")  # one runs, three wait
        answer = first.post("/api/run", {"code": "print(1)", "lang": "python"})
        assert answer.status_code == 429 and answer.json()["code"] == "project_busy"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60 and answer.json()["message"]
        more_jobs, more_ids = hold(second, pool, 2, "s")
        answer = second.post("/api/run", {"code": "print(1)", "lang": "python"})
        assert answer.status_code == 503 and answer.json()["code"] == "server_busy"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        refused = small.metrics()
        assert refused['docle_runs_refused_total{reason="project_limit"}'] >= 1
        assert refused['docle_runs_refused_total{reason="server_full"}'] >= 1
        release(first, jobs, ids[::-1])
        release(second, more_jobs, more_ids)
    assert first.run("print(1)")["ok"] and second.run("print(1)")["ok"]
    assert small.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'") == [(0,)]


def test_a_refused_run_frees_its_idempotency_key(small, make_client, fresh_key):
    client = make_client(small, small.create_key()["key"])
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs, ids = hold(client, pool, 4, "f")
        body = {"code": "print(1)", "lang": "python"}
        answer = client.post("/api/run", body, {"Idempotency-Key": fresh_key})
        assert answer.status_code == 429
        release(client, jobs, ids[::-1])
    answer = client.post("/api/run", body, {"Idempotency-Key": fresh_key})
    assert answer.status_code == 200 and "Idempotent-Replayed" not in answer.headers


def test_waiting_has_an_end(own_server, make_client):
    server = own_server("--slots", "1", "--queue-wait-seconds", "1")
    client = make_client(server, server.create_key()["key"])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs, ids = hold(client, pool, 1, "holder")
        wait_for(lambda: client.get(f"/api/run/{ids[0]}").json()["status"] == "running", "it runs")
        answer = client.post("/api/run", {"code": "print(1)", "lang": "python"})
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        answer = client.post("/api/run", {"code": "print(1)", "lang": "python", "stream": True})
        if answer.status_code == 200:  # the stream had begun to wait: it ends with the reason
            events = client.contract.check_events(answer.text, "stream")
            assert events[-1][0] == "error" and events[-1][1]["code"] == "server_busy"
        else:
            assert answer.status_code == 503
        release(client, jobs, ids)
    assert server.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'") == [(0,)]
    assert server.query("SELECT COUNT(*) FROM ledger") == [(1,)]


def test_projects_take_turns(own_server, make_client):
    """A project with a long queue does not make another one wait for all of it."""
    server = own_server("--slots", "1")
    many = make_client(server, server.create_key("many")["key"])
    few = make_client(server, server.create_key("few")["key"])
    body = {"code": "import time; time.sleep(0.3)", "lang": "python", "policy": LONG}
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        jobs = [pool.submit(many.post, "/api/run", body) for _ in range(20)]
        wait_for(lambda: server.metrics()["docle_queue_depth"] >= 15, "the queue fills")
        assert few.run("print('my turn')", policy=LONG)["stdout"] == "my turn\n"
        assert server.metrics()["docle_queue_depth"] >= 5  # it overtook the most of them
        assert {job.result().status_code for job in jobs} == {200}


def test_reload_takes_new_caps(own_server, make_client):
    import os
    import signal
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("[limits]\ntimeout_ms = 60000\n")
        os.chmod(file.name, 0o644)
    try:
        server = own_server(env={"DOCLE_CONFIG": file.name})
        client = make_client(server, server.create_key()["key"])
        body = {"code": "print(1)", "lang": "python", "policy": {"timeoutMs": 50000}}
        assert client.post("/api/run", body).status_code == 200
        with open(file.name, "w") as again:
            again.write("[limits]\ntimeout_ms = 1000\n")
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: client.post("/api/run", body).status_code == 400, "the new ceiling holds")
    finally:
        os.unlink(file.name)


def test_bodies_of_all_sizes(api):
    def one(size):
        body = {"code": "print(len(open('/workspace/data').read()))", "lang": "python",
                "files": [{"path": "main.py", "content": "print(len(open('data').read()))"},
                          {"path": "data", "content": "d" * size}], "policy": LONG}
        answer = requests.post(
            api.server.url("/api/run"), data=json.dumps(body), headers={"Authorization": api.key},
            timeout=PATIENCE_S,
        )
        assert answer.status_code == 200 and answer.json()["stdout"] == f"{size}\n", answer.text[:500]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for job in [pool.submit(one, size) for size in (0, 1, 1000, 65535, 65536, 65537, 1 << 20, 5 << 20, 9 << 20) * 2]:
            job.result()
