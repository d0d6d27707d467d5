"""A-35: the machine's time is set while the server runs, years forward and back. Limits, deadlines and waiting
go by the monotonic clock; what is stored shows the new time and nothing else changes."""

import concurrent.futures
import time

import pytest

from harness import descendants, launchers, wait_for

YEAR_S = 365 * 86400
LONG = {"timeoutMs": 60000}


@pytest.fixture
def served(own_server, make_client, clock):
    server = own_server("--slots", "1", env=clock.env)
    return server, make_client(server, server.create_key()["key"])


def year(result):
    return int(result["createdAt"][:4])


def started(server):
    wait_for(lambda: server.metrics()["docle_runs_running"] == 1, "it runs")


def test_the_shim_moves_the_clock(served, clock):
    """Or the other tests would show nothing."""
    _, client = served
    clock.set(20 * YEAR_S)
    assert year(client.run("print(1)")) - time.gmtime().tm_year in (19, 20)
    clock.set(-20 * YEAR_S)
    assert time.gmtime().tm_year - year(client.run("print(1)")) in (19, 20, 21)


@pytest.mark.parametrize("jump", [20 * YEAR_S, -20 * YEAR_S])
def test_a_jump_ends_no_run_early(served, clock, jump):
    server, client = served
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.run, "import time; time.sleep(1.5); print('done')", policy=LONG)
        started(server)
        # Waits in the queue over the jump.
        second = pool.submit(client.run, "print('too')", policy=LONG)
        wait_for(lambda: server.metrics()["docle_queue_depth"] == 1, "one waits")
        clock.set(jump)
        result, waited = first.result(), second.result()
    assert (result["outcome"], result["stdout"]) == ("ok", "done\n")
    assert 1400 <= result["usage"]["durationMs"] < 60000
    assert (waited["outcome"], waited["stdout"]) == ("ok", "too\n")


@pytest.mark.parametrize("jump", [20 * YEAR_S, -20 * YEAR_S])
def test_a_jump_gives_no_run_more_time(served, clock, jump):
    server, client = served
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(client.run, "while True: pass", policy={"timeoutMs": 2000})
        started(server)
        clock.set(jump)
        result = job.result()
    assert (result["outcome"], result["exitCode"], result["limits"]) == ("timeout", 124, ["wall"])
    assert 1900 <= result["usage"]["durationMs"] < 60000


def test_nothing_is_replaced_or_lost(served, clock):
    """Launcher, keys, history, order of the list, idempotency within a day, open connections."""
    server, client = served
    before = client.run("print('before')", headers={"Idempotency-Key": "once"})
    family = launchers(descendants(server.pid))
    connection = server.connect()
    for jump in (3600, -3600, 6 * 86400, 0):
        clock.set(jump)
        assert client.get("/readyz").status_code == 200
        assert client.run("print('after')")["ok"]
        assert client.get(f"/api/run/{before['id']}").json()["stdout"] == "before\n"
    clock.set(3600)
    again = client.run("print('before')", headers={"Idempotency-Key": "once"})
    assert again["id"] == before["id"]
    assert launchers(descendants(server.pid)) == family
    assert server.metrics()["docle_launcher_deaths_total"] == 0
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.close()
    listed = client.get("/api/runs").json()
    assert len(listed["runs"]) == 5
    assert [run["createdAt"] for run in listed["runs"]] == sorted(
        (run["createdAt"] for run in listed["runs"]), reverse=True)
