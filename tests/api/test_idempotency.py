"""One key, one run."""

import concurrent.futures

import pytest

from harness import wait_for

CODE = "import os; print(os.urandom(8).hex())"


def ask(api, key, code=CODE, **fields):
    return api.post("/api/run", {"code": code, "lang": "python", **fields}, {"Idempotency-Key": key})


def test_a_repeat_gives_the_stored_result(server, api, fresh_key):
    first = ask(api, fresh_key)
    second = ask(api, fresh_key)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert server.query("SELECT COUNT(*) FROM ledger WHERE run_id = ?", first.json()["id"]) == [(1,)]


def test_failing_programs_are_replayed_too(api, fresh_key):
    first = ask(api, fresh_key, "raise SystemExit(3)")
    assert ask(api, fresh_key, "raise SystemExit(3)").json() == first.json()


def test_another_body_is_a_conflict(api, fresh_key):
    assert ask(api, fresh_key).status_code == 200
    answer = ask(api, fresh_key, "print('other')")
    assert answer.status_code == 409 and answer.json()["code"] == "idempotency_conflict"
    assert ask(api, fresh_key).status_code == 200


def test_keys_belong_to_a_project(api, other_api, fresh_key):
    mine, theirs = ask(api, fresh_key), ask(other_api, fresh_key)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "Idempotent-Replayed" not in theirs.headers


def test_a_refused_body_takes_no_claim(api, fresh_key):
    assert ask(api, fresh_key, "").status_code == 400
    answer = ask(api, fresh_key)
    assert answer.status_code == 200 and "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize("value", ["", "x" * 256, "é", "a\tb"], ids=["empty", "long", "latin", "tab"])
def test_bad_keys(api, value):
    answer = api.post(
        "/api/run", {"code": "print(1)", "lang": "python"}, {"Idempotency-Key": value.encode("latin-1")}
    )
    assert answer.status_code == 400 and answer.json()["code"] == "invalid_idempotency_key"


@pytest.mark.parametrize("value", ["x" * 255, "'; DROP TABLE idempotency; --", "a b"], ids=["long", "sql", "space"])
def test_odd_keys(api, value):
    first = ask(api, value)
    assert first.status_code == 200 and ask(api, value).json() == first.json()


def test_fifty_duplicates_at_once(server, api, fresh_key):
    code = "import os, time; time.sleep(1); print(os.urandom(8).hex())"
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = [
            job.result()
            for job in [
                pool.submit(ask, api, fresh_key, code, policy={"timeoutMs": 60000}) for _ in range(50)
            ]
        ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert replayed.count(None) == 1 and replayed.count("true") == 49
    run_id = answers[0].json()["id"]
    assert server.query("SELECT COUNT(*) FROM ledger WHERE run_id = ?", run_id) == [(1,)]


def test_many_keys_with_duplicates_and_conflicts(server, api, fresh_key):
    """Ten keys, five requests each at once, one of them with another body."""
    def one(number, copy):
        code = CODE if copy else "print('conflict')"
        return number, copy, ask(api, f"{fresh_key}-{number}", code)

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        jobs = [pool.submit(one, number, copy) for copy in range(5) for number in range(10)]
        answers = [job.result() for job in jobs]
    for number in range(10):
        mine = [(copy, answer) for n, copy, answer in answers if n == number]
        good = {answer.json()["id"] for _, answer in mine if answer.status_code == 200}
        assert len(good) == 1  # one body won the key, every other one is a conflict
        assert {answer.status_code for _, answer in mine} <= {200, 409}
        winners = {bool(copy) for copy, answer in mine if answer.status_code == 200}
        assert len(winners) == 1


def test_a_stream_with_a_key_survives_its_client(server, api, fresh_key):
    import json

    body = json.dumps({
        "code": "import time; print('begun', flush=True); time.sleep(1); print('done')",
        "lang": "python", "stream": True, "policy": {"timeoutMs": 60000},
    })
    with server.connect() as connection:
        connection.sendall(
            f"POST /api/run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
            f"Idempotency-Key: {fresh_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        received = b""
        while b"event: start" not in received:
            received += connection.recv(4096)
    answer = api.post("/api/run", body, {"Idempotency-Key": fresh_key})
    assert answer.headers["Idempotent-Replayed"] == "true"
    events = api.contract.check_events(answer.text, "replay")
    assert [name for name, _ in events][-1] == "result"
    assert events[-1][1]["outcome"] == "ok" and events[-1][1]["stdout"] == "begun\ndone\n"


def test_claims_survive_a_restart(own_server, make_client, fresh_key):
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    first = ask(client, fresh_key)
    server.stop()
    server.start()
    second = ask(client, fresh_key)
    assert second.json() == first.json() and second.headers["Idempotent-Replayed"] == "true"


def test_a_claim_ages_out(own_server, make_client, fresh_key):
    """After 24 hours the key is free again."""
    import contextlib
    import sqlite3

    server = own_server()
    client = make_client(server, server.create_key()["key"])
    first = ask(client, fresh_key)
    server.stop()
    with contextlib.closing(sqlite3.connect(server.folder / "docle.db")) as database:
        database.execute("UPDATE idempotency SET created_at = created_at - 90000 * 1000000000")
        database.commit()
    server.start()
    second = ask(client, fresh_key)
    assert second.json()["id"] != first.json()["id"] and "Idempotent-Replayed" not in second.headers


def test_a_run_that_the_server_lost_runs_again(own_server, make_client, fresh_key):
    """Killed in mid-run: the claim is released at the next start."""
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(
            client.server.docle, "version", check=False
        )  # the pool's thread is warm before the race
        job.result()
        import json
        import requests

        body = json.dumps({"code": "import time; time.sleep(2); print('x')", "lang": "python",
                           "policy": {"timeoutMs": 60000}})

        def lost():
            try:
                return requests.post(
                    server.url("/api/run"), data=body, timeout=60,
                    headers={"Authorization": client.key, "Idempotency-Key": fresh_key},
                ).status_code
            except requests.RequestException:
                return None

        job = pool.submit(lost)
        wait_for(
            lambda: server.query("SELECT COUNT(*) FROM idempotency") == [(1,)], "the claim is stored"
        )
        server.stop(9)
        assert job.result(60) is None
    server.start()
    answer = client.post("/api/run", body, {"Idempotency-Key": fresh_key})
    assert answer.status_code == 200 and answer.json()["stdout"] == "x\n"
    assert "Idempotent-Replayed" not in answer.headers
