"""What was agreed with a project about runs at once: no more of them, no less, and nobody else waits for it."""

import concurrent.futures
import json

from harness import wait_for

LONG = {"timeoutMs": 300000}
SPAN = """import time
begun = time.clock_gettime(time.CLOCK_MONOTONIC)
time.sleep(0.1)
print(begun, time.clock_gettime(time.CLOCK_MONOTONIC))"""
FOREVER = {"code": "import time; time.sleep(1e9)", "lang": "python", "policy": LONG}


def limit(server, project, *options):
    return json.loads(server.docle("projects", "limits", project, *options, "--json").stdout)["limits"]


def at_once(spans):
    """How many of these spans of time have a moment in common."""
    moments = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    return most


def test_a_hundred_at_once_run_by_threes(own_server, make_client):
    """The machine would run eight; the programs' own clocks say that three do, and another project's runs go between."""
    server = own_server("--slots", "8", "--project-queued", "100", "--queue-wait-seconds", "600")
    many = make_client(server, server.create_key("many")["key"])
    few = make_client(server, server.create_key("few")["key"])
    limit(server, "many", "--running", "3")
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        jobs = [pool.submit(many.run, SPAN, policy=LONG) for _ in range(100)]
        wait_for(lambda: server.metrics()["docle_queue_depth"] >= 50, "the queue fills")
        for i in range(3):
            assert few.run(f"print({i})", policy=LONG)["stdout"] == f"{i}\n"
        assert server.metrics()["docle_queue_depth"] >= 1  # they overtook the most of them
        results = [job.result() for job in jobs]
    assert {result["outcome"] for result in results} == {"ok"}
    assert at_once([tuple(map(float, result["stdout"].split())) for result in results]) == 3
    assert server.metrics()["docle_queue_depth"] == 0
    assert server.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'") == [(0,)]
    # Without the agreement there are more of them at once.
    limit(server, "many", "--running", "none")
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        results = list(pool.map(lambda _: many.run(SPAN.replace("0.1", "1"), policy=LONG), range(24)))
    assert at_once([tuple(map(float, result["stdout"].split())) for result in results]) > 3


def test_the_operators_cap_stays(own_server, make_client):
    server = own_server("--slots", "8", "--project-running", "1")
    client = make_client(server, server.create_key()["key"])
    limit(server, "default", "--running", "8")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: client.run(SPAN, policy=LONG), range(8)))
    assert at_once([tuple(map(float, result["stdout"].split())) for result in results]) == 1


def test_cancelled_while_queued_frees_its_place(own_server, make_client):
    server = own_server("--slots", "4", "--project-queued", "1", "--queue-wait-seconds", "600")
    client = make_client(server, server.create_key()["key"])
    limit(server, "default", "--running", "1")

    def status(user):
        listed = client.get("/api/runs", params={"userId": user}).json()["runs"]
        return listed[0] if listed else {"status": None}

    def start(user, wanted):
        job = pool.submit(client.post, "/api/run", {**FOREVER, "userContext": {"id": user}})
        return job, wait_for(lambda: (run := status(user))["status"] == wanted and run, f"{user} is {wanted}")["id"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        first, first_id = start("first", "running")
        second, second_id = start("second", "queued")
        refused = client.post("/api/run", FOREVER)
        assert refused.status_code == 429 and refused.json()["code"] == "project_busy"
        client.post(f"/api/run/{second_id}/cancel")
        assert second.result().json()["outcome"] == "cancelled"
        third, third_id = start("third", "queued")
        client.post(f"/api/run/{first_id}/cancel")
        assert first.result().json()["outcome"] == "cancelled"
        wait_for(lambda: status("third")["status"] == "running", "the next one has the place")
        client.post(f"/api/run/{third_id}/cancel")
        assert third.result().json()["outcome"] == "cancelled"
    assert client.run("print(1)")["ok"]
