"""How long an install may take: the operator's ceiling, and a smaller one of a plan, a project or a test key. The index
is a stand-in that answers when it is told to, the installer the real pip. Where pip has to get somewhere within a ceiling,
that is a generous one."""

import concurrent.futures
import http.server
import threading

import pytest

from harness import PATIENCE_S, wait_for
from test_packages_age import Index, version

CODE = "import fresh; print(fresh.version)"
WISH = {"packages": ["fresh==1"]}


class SlowIndex(Index):
    """Keeps files back until it may let them go."""

    def do_GET(self):
        if self.path.startswith("/files/"):
            self.server.waiting.set()
            self.server.go.wait(PATIENCE_S * 4)
        super().do_GET()


@pytest.fixture
def slow():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowIndex)
    server.daemon_threads = True
    server.wheels, server.asked = [version(1)], 0
    server.waiting, server.go = threading.Event(), threading.Event()
    server.env = {"DOCLE_PACKAGES_PIP_INDEX": f"http://127.0.0.1:{server.server_port}/simple"}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()


def installing(server):
    return server.metrics()["docle_package_installing"]


def assert_expired(result, seconds):
    assert (result["outcome"], result["exitCode"]) == ("install_failed", 124), result
    assert f"within {seconds} s, which is as long as this project may install" in result["message"], result
    assert f"within {seconds} s" in result["stderr"]


def test_the_last_one_to_leave_ends_it(slow, own_server, make_client):
    server = own_server("--packages-install-seconds", "300", env=slow.env)
    client = make_client(server, server.create_key()["key"])
    server.docle("projects", "limits", "default", "--install-seconds", "1")
    result = client.run(CODE, **WISH)
    assert_expired(result, 1)
    assert client.get(f"/api/run/{result['id']}").json() == result
    assert server.query("SELECT amount_micros FROM ledger") == [(0,)]
    wait_for(lambda: installing(server) == 0, "the install ends")
    slow.go.set()  # and the next one is another one
    server.docle("projects", "limits", "default", "--install-seconds", "none")
    assert client.run(CODE, **WISH)["stdout"] == "1\n"
    assert server.metrics()["docle_package_installs_total"] == 2


def test_it_goes_on_for_those_who_may_wait(slow, own_server, make_client):
    server = own_server("--packages-install-seconds", "300", env=slow.env)
    short = make_client(server, server.create_key("short")["key"])
    long = make_client(server, server.create_key("long")["key"])
    server.docle("projects", "limits", "short", "--install-seconds", "8")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        begun = pool.submit(short.run, CODE, **WISH)  # its install, which the others join
        assert slow.waiting.wait(PATIENCE_S)
        joined = [pool.submit(long.run, CODE, **WISH) for _ in range(3)]
        wait_for(lambda: server.metrics()["docle_package_installs_joined_total"] == 3, "they wait for the same one")
        assert_expired(begun.result(), 8)
        assert_expired(short.run(CODE, **WISH), 8)  # one who comes later waits as long
        assert installing(server) == 1 and not any(job.done() for job in joined)
        slow.go.set()
        assert [job.result()["stdout"] for job in joined] == ["1\n"] * 3
    assert server.metrics()["docle_package_installs_total"] == 1
    assert short.run(CODE, **WISH)["stdout"] == "1\n"


def test_cancelling_prolongs_nothing(slow, own_server, make_client):
    """Who cancels leaves an install behind, for the next one; it ends when the ceiling would have come."""
    server = own_server("--packages-install-seconds", "300", env=slow.env)
    client = make_client(server, server.create_key()["key"])
    server.docle("projects", "limits", "default", "--install-seconds", "8")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(client.run, CODE, **WISH)
        assert slow.waiting.wait(PATIENCE_S)
        (listed,) = client.get("/api/runs").json()["runs"]
        client.post(f"/api/run/{listed['id']}/cancel")
        assert job.result()["outcome"] == "cancelled" and installing(server) == 1
    wait_for(lambda: installing(server) == 0, "the install ends")


@pytest.mark.parametrize("test_key", [False, True])
def test_plans_and_test_keys(slow, own_server, make_client, test_key):
    billing = () if test_key else ("--billing", "cloudevents", "--billing-events-url", "http://127.0.0.1:9/")
    server = own_server("--plans-free-install-seconds", "1", "--packages-install-seconds", "300", *billing, env=slow.env)
    client = make_client(server, server.create_key("default", *(("--test",) if test_key else ()))["key"])
    assert_expired(client.run(CODE, **WISH), 1)
    if test_key:
        return
    server.docle("projects", "plan", "default", "pro")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow.waiting.clear()
        job = pool.submit(client.run, CODE, **WISH)
        assert slow.waiting.wait(PATIENCE_S)
        slow.go.set()
        assert job.result()["stdout"] == "1\n"


def test_nobody_waits_in_the_queue_of_another_project(slow, own_server, make_client):
    """An install that waits behind its own project's runs is not what another project's run waits for."""
    server = own_server("--slots", "4", "--queue-wait-seconds", "600", env=slow.env)
    full = make_client(server, server.create_key("full")["key"])
    other = make_client(server, server.create_key("other")["key"])
    server.docle("projects", "limits", "full", "--running", "1")
    slow.go.set()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = pool.submit(full.run, "import time; time.sleep(1e9)", policy={"timeoutMs": 300000})
        wait_for(lambda: server.metrics()["docle_runs_running"] == 1, "it runs")
        (holder,) = wait_for(lambda: full.get("/api/runs").json()["runs"], "it is listed")
        waits = pool.submit(full.run, CODE, **WISH)
        wait_for(lambda: installing(server) == 1 and server.metrics()["docle_queue_depth"] == 1, "its install waits")
        assert other.run(CODE, **WISH)["stdout"] == "1\n"
        assert not waits.done()
        full.post(f"/api/run/{holder['id']}/cancel")
        assert runs.result()["outcome"] == "cancelled" and waits.result()["stdout"] == "1\n"
