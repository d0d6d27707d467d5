"""Start, stop, and what happens to runs meanwhile: L-01, L-02, L-08."""

import concurrent.futures
import os
import signal
import socket
import subprocess

import requests

from harness import COMMAND, PATIENCE_S, control_groups, descendants, launchers, open_to_programs, parents, wait_for

LONG = {"timeoutMs": 300000}


def post_plain(server, key, body):
    return requests.post(
        server.url("/api/run"), json=body, headers={"Authorization": key}, timeout=PATIENCE_S * 2
    )


def test_drain_loses_none(own_server, make_client):
    """SIGTERM: what runs and waits ends and is answered; new requests are told to go elsewhere."""
    server = own_server("--slots", "2")
    client = make_client(server, server.create_key()["key"])
    body = {"code": "import time; time.sleep(1.5); print('whole')", "lang": "python", "policy": LONG}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(post_plain, server, client.key, body) for _ in range(6)]
        wait_for(
            lambda: server.metrics()["docle_runs_running"] + server.metrics()["docle_queue_depth"] == 6,
            "all are there",
        )
        server.send_signal(signal.SIGTERM)
        answers = [job.result() for job in jobs]
    assert server.process.wait(PATIENCE_S) == 0
    for answer in answers:
        assert answer.status_code == 200 and answer.json()["stdout"] == "whole\n"
    assert server.query("SELECT COUNT(*) FROM ledger WHERE outcome = 'ok'") == [(6,)]
    assert server.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'") == [(0,)]


def test_drain_has_an_end(own_server, make_client):
    """Runs that outlast the drain are cancelled, answered and metered."""
    server = own_server("--server-drain-seconds", "1")
    client = make_client(server, server.create_key()["key"])
    body = {"code": "print('kept', flush=True); import time; time.sleep(300)", "lang": "python", "policy": LONG}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        job = pool.submit(post_plain, server, client.key, body)
        wait_for(lambda: server.metrics()["docle_runs_running"] == 1, "it runs")
        server.send_signal(signal.SIGTERM)
        answer = job.result()
    assert answer.status_code == 200 and answer.json()["outcome"] == "cancelled"
    assert server.process.wait(PATIENCE_S) == 0
    assert server.query("SELECT outcome FROM ledger") == [("cancelled",)]


def test_requests_while_draining(own_server, make_client):
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    body = {"code": "import time; time.sleep(2)", "lang": "python", "policy": LONG}
    with concurrent.futures.ThreadPoolExecutor(2) as pool, requests.Session() as session:
        session.headers["Authorization"] = client.key
        assert session.get(server.url("/api/runs"), timeout=PATIENCE_S).status_code == 200
        job = pool.submit(post_plain, server, client.key, body)
        wait_for(lambda: server.metrics()["docle_runs_running"] == 1, "it runs")
        server.send_signal(signal.SIGTERM)
        try:
            answer = session.post(server.url("/api/run"), json=body, timeout=PATIENCE_S)
            assert answer.status_code in (503, 200)
        except requests.ConnectionError:
            pass  # closed or refused: a load balancer goes elsewhere
        assert job.result().status_code == 200


def test_second_signal_cuts_the_drain_short(own_server, make_client):
    server = own_server("--server-drain-seconds", "300")
    client = make_client(server, server.create_key()["key"])
    body = {"code": "import time; time.sleep(300)", "lang": "python", "policy": LONG}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        job = pool.submit(post_plain, server, client.key, body)
        wait_for(lambda: server.metrics()["docle_runs_running"] == 1, "it runs")
        server.send_signal(signal.SIGTERM)
        wait_for(lambda: refused(server), "it takes no more")
        server.send_signal(signal.SIGTERM)
        assert job.result().json()["outcome"] == "cancelled"
    assert server.process.wait(PATIENCE_S) == 0


def refused(server):
    try:
        return requests.get(server.url("/readyz"), timeout=PATIENCE_S).status_code == 503
    except requests.RequestException:
        return True


def test_stop_leaves_nothing(own_server, make_client):
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    client.run("print(1)")
    family = descendants(server.pid)
    trees = list(control_groups(family))
    assert family and trees
    assert server.stop() == 0
    assert not [tree for tree in trees if os.path.exists(tree)]


def test_kill_leaves_nothing_running(own_server, make_client):
    """L-01: with the server dies all that it started."""
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        job = pool.submit(
            lambda: post_plain(server, client.key, {"code": "while True: pass", "lang": "python", "policy": LONG})
        )
        wait_for(lambda: server.query("SELECT COUNT(*) FROM runs") == [(1,)], "it is admitted")
        server.stop(signal.SIGKILL)
        assert job.exception(PATIENCE_S)
    server.start()
    [(status, outcome)] = server.query("SELECT status, outcome FROM runs")
    assert (status, outcome) == ("done", "sandbox_error")
    assert client.run("print(1)")["ok"]


def launcher_of(server):
    [launcher] = launchers(descendants(server.pid))
    return launcher


def test_a_dead_launcher_is_replaced(own_server, make_client):
    """L-02: runs in flight end as sandbox_error (500), unbilled by outcome; then it works again."""
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    body = {"code": "import time; time.sleep(300)", "lang": "python", "policy": LONG}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        job = pool.submit(client.post, "/api/run", body)
        wait_for(lambda: server.metrics()["docle_runs_running"] == 1, "it runs")
        launcher = launcher_of(server)
        family = descendants(launcher)
        os.kill(launcher, signal.SIGKILL)
        answer = job.result()
    assert answer.status_code == 500 and answer.json()["outcome"] == "sandbox_error"
    assert answer.json()["exitCode"] == -1 and answer.json()["message"]
    wait_for(lambda: not family & set(parents()), "its processes are gone")
    server.wait_ready()
    assert client.run("print('again')")["stdout"] == "again\n"
    assert server.metrics()["docle_launcher_deaths_total"] >= 1


def test_one_server_per_data_folder(server):
    second = subprocess.run(
        [*COMMAND, "serve", "--listen", "127.0.0.1:0"], env=server.env, text=True, capture_output=True,
        timeout=PATIENCE_S,
    )
    assert second.returncode != 0 and second.stderr


def test_an_address_in_use_is_said(own_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        from harness import Server

        refused = Server()
        try:
            second = subprocess.run(
                [*COMMAND, "serve", "--listen", f"127.0.0.1:{port}"], env=refused.env, text=True,
                capture_output=True, timeout=PATIENCE_S,
            )
            assert second.returncode != 0 and str(port) in second.stderr
        finally:
            refused.clean()


def test_full_disk(make_client, tmp_path_factory):
    """L-08: a clear refusal, no acknowledged result without its rows, and life goes on."""
    from harness import Server

    folder = tmp_path_factory.mktemp("disk")
    open_to_programs(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", folder], check=True)
    try:
        server = Server(data=folder)
        try:
            server.start()
            client = make_client(server, server.create_key()["key"])
            size = 512 * 1024
            acknowledged, failed = [], 0
            for _ in range(30):
                answer = client.post("/api/run", {
                    "code": f"import os, sys; sys.stdout.write(os.urandom({size // 2}).hex())",
                    "lang": "python", "policy": {"maxOutputBytes": 1 << 20, **LONG},
                })
                if answer.status_code == 200:
                    acknowledged.append(answer.json())
                else:
                    failed += 1
                    assert answer.status_code == 503 and answer.json()["code"] == "storage_unavailable"
                    assert answer.headers["Retry-After"]
            assert failed and acknowledged
            assert server.process.poll() is None
            for result in acknowledged:
                assert client.get(f"/api/run/{result['id']}").json() == result
                assert server.query("SELECT COUNT(*) FROM ledger WHERE run_id = ?", result["id"]) == [(1,)]
        finally:
            server.clean()
    finally:
        subprocess.run(["umount", folder], check=True)
