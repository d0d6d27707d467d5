"""Reading, listing and cancelling runs."""

import concurrent.futures
import time

import pytest

from harness import wait_for

NOWHERE = "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"
LONG = {"timeoutMs": 300000}


@pytest.fixture
def background():
    """Runs calls while a test goes on; all are over when it ends."""
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        yield pool


def find_open(api, user):
    """The run of this end user that has not ended, once it is there."""

    def look():
        for run in api.get("/api/runs", params={"userId": user}).json()["runs"]:
            if run["status"] in ("queued", "running"):
                return run
        return None

    return wait_for(look, f"a run of {user} is open")


def test_reading_gives_the_same_answer(api):
    for code, fields in (
        ("print('x' * 5000); raise SystemExit(2)", {}),
        ("print('cut' * 5000)", {"policy": {"maxOutputBytes": 1024}}),
        ("while True: pass", {"policy": {"timeoutMs": 300}}),
        ("import os; os.abort()", {}),
        ("open('a.txt', 'w').write('a')", {"artifacts": ["*.txt"]}),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\x00')", {}),
    ):
        result = api.run(code, **fields)
        assert api.get(f"/api/run/{result['id']}").json() == result


def test_other_projects_see_nothing(api, other_api):
    result = api.run("print('mine')")
    answer = other_api.get(f"/api/run/{result['id']}")
    absent = other_api.get(f"/api/run/{NOWHERE}")
    assert answer.status_code == absent.status_code == 404
    strip = lambda body: {name: value for name, value in body.items() if name != "requestId"}
    assert strip(answer.json()) == strip(absent.json())
    assert answer.json()["error"] == "not found"
    assert other_api.post(f"/api/run/{result['id']}/cancel").status_code == 404
    assert result["id"] not in str(other_api.get("/api/runs").json())


@pytest.mark.parametrize(
    "name", [NOWHERE, "x", NOWHERE.upper(), NOWHERE + "0", "%00", "..%2f..", "' OR 1=1", "é"]
)
def test_unknown_runs(api, name):
    answer = api.get(f"/api/run/{name}")
    assert answer.status_code in (400, 404), answer.text
    assert api.post(f"/api/run/{name}/cancel").status_code in (400, 404)


def test_keys_of_one_project_share_its_runs(server, api, make_client):
    result = api.run("print(1)")
    client = make_client(server, server.create_key("tests")["key"])
    assert client.get(f"/api/run/{result['id']}").json() == result


def test_list_is_newest_first_and_paged(server, make_client):
    client = make_client(server, server.create_key("paged")["key"])
    ids = [client.run(f"print({i})")["id"] for i in range(7)][::-1]
    whole = client.get("/api/runs").json()
    assert [run["id"] for run in whole["runs"]] == ids and whole["nextCursor"] is None
    seen, cursor = [], None
    while True:
        page = client.get("/api/runs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["runs"]) <= 3
        seen += [run["id"] for run in page["runs"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        if len(seen) == 3:  # what comes meanwhile neither repeats nor shifts a page
            client.run("print('new')")
    assert seen == ids


def test_list_filters(server, make_client):
    client = make_client(server, server.create_key("filtered")["key"])
    client.run("print(1)")
    client.run("raise SystemExit(1)", userContext={"id": "u1"})
    last = client.run("console.log(1)", "node")

    def outcomes(**params):
        return [(r["lang"], r["outcome"]) for r in client.get("/api/runs", params=params).json()["runs"]]

    assert outcomes(lang="node") == [("node", "ok")]
    assert outcomes(outcome="error") == [("python", "error")]
    assert outcomes(userId="u1") == [("python", "error")]
    assert outcomes(userId="nobody") == []
    assert outcomes(lang="python", outcome="ok") == [("python", "ok")]
    assert outcomes(since=last["createdAt"]) == [("node", "ok")]
    assert outcomes(since="2999-01-01T00:00:00Z") == []
    assert len(outcomes(since="2000-01-01T00:00:00+02:00")) == 3


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=1e2", "limit=99999999999999999999", "cursor=x",
     "cursor=", "since=yesterday", "since=2025-13-01T00:00:00Z", "lang=ruby", "outcome=good", "userId=",
     "limit=1&limit=2", "unknown=1", "limit=%zz", "userId=%ff", "until=now", "status=ended", "status=", "outcome=ok,",
     "outcome=,", "outcome=" + "ok," * 500, "keyId=x", "keyId=' OR 1=1", "test=1", "test=", "q=", "q=" + "x" * 201,
     "q=%00", "q=%ff"],
)
def test_bad_queries(api, query):
    answer = api.get(f"/api/runs?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"]


def test_more_filters(server, make_client):
    live = server.create_key("filters-live")
    client = make_client(server, live["key"])
    trial = make_client(server, server.create_key("filters-live", "--test")["key"])
    first = client.run("print('Needle_%!')")
    failed = client.run("import json\njson.loads('{')")
    timeout = client.run("while True: pass", policy={"timeoutMs": 300})
    test = trial.run("print(4)")

    def found(**params):
        return {r["id"] for r in client.get("/api/runs", params=params).json()["runs"]}

    everything = {first["id"], failed["id"], timeout["id"], test["id"]}
    assert found() == everything
    assert found(test="true") == {test["id"]}
    assert found(test="false") == everything - {test["id"]}
    assert found(keyId=live["id"]) == everything - {test["id"]}
    assert found(keyId=NOWHERE) == set()
    assert found(outcome="error,timeout") == {failed["id"], timeout["id"]}
    assert found(outcome="ok,ok,error") == {first["id"], failed["id"], test["id"]}
    assert found(outcome="timeout", test="true") == set()
    assert found(status="done") == everything
    assert found(status="running") == found(status="queued") == set()
    assert found(until=failed["createdAt"]) == {first["id"]}
    assert found(since=failed["createdAt"], until=timeout["createdAt"]) == {failed["id"]}
    assert found(since="2026-01-02T00:00:00Z", until="2026-01-01T00:00:00Z") == set()
    assert found(q="needle_%!") == {first["id"]}  # any case, and none of it a pattern
    assert found(q="needle__!") == found(q="%") - {first["id"]} == set()
    assert found(q="jsondecodeerror") == {failed["id"]}
    assert found(q="did not end within") == {timeout["id"]}
    assert found(q=first["id"]) == found(q=first["id"][:30]) == {first["id"]}
    assert first["id"] in found(q=first["id"][:8])
    assert found(q="deadbeef") == found(q="' OR '1'='1") == set()


def test_pages_with_filters(server, make_client):
    client = make_client(server, server.create_key("filter-pages")["key"])
    ids = [client.run(f"raise SystemExit({i % 2})")["id"] for i in range(10)][::-1]
    odd, seen, cursor = ids[::2], [], None
    while True:
        page = client.get("/api/runs", params={"outcome": "error", "limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [run["id"] for run in page.json()["runs"]]
        cursor = page.json()["nextCursor"]
        if not cursor:
            break
    assert seen == odd


def test_summaries_say_what_a_list_needs(server, make_client):
    key = server.create_key("summaries", "--name", "web")
    client = make_client(server, key["key"])
    client.run("\n\n  # counts\nprint(1 / 0)")
    [run] = client.get("/api/runs").json()["runs"]
    assert run["key"] == {"id": key["id"], "prefix": key["key"][:12], "name": "web"}
    assert run["preview"] == "# counts"
    assert run["errorLine"] == "ZeroDivisionError: division by zero"
    assert run["cost"] == 0.001 and run["currency"] == "usd"
    client.run("print('" + "é" * 400 + "')")
    run = client.get("/api/runs").json()["runs"][0]
    assert run["preview"].startswith("print('é") and len(run["preview"].encode()) <= 160
    assert "errorLine" not in run


def test_details(server, make_client, api):
    key = server.create_key("details")
    client = make_client(server, key["key"])
    result = client.run(
        "import os; print(os.environ['TOKEN'])", args=["a"], stdin="in", env={"TOKEN": "hidden-value"},
        policy={"timeoutMs": 2000}, userContext={"id": "u-9"}, artifacts=["*.txt"],
    )
    answer = client.get(f"/api/run/{result['id']}", params={"details": "true"})
    body = answer.json()
    details = body.pop("details")
    assert body == result == client.get(f"/api/run/{result['id']}", params={"details": "false"}).json()
    assert details["request"] == {
        "lang": "python", "entrypoint": "main.py", "code": "import os; print(os.environ['TOKEN'])", "args": ["a"],
        "env": {"TOKEN": "[redacted]"}, "stdin": "in", "artifacts": ["*.txt"], "userContext": {"id": "u-9"},
    }
    assert "hidden-value" not in str(details)
    assert details["policy"]["timeoutMs"] == 2000 and details["policy"]["clamped"] == []
    assert details["key"]["id"] == key["id"] and details["userId"] == "u-9"
    assert details["cost"] == 0.001 and details["egressBytes"] == 0
    timeline = details["timeline"]
    assert timeline["createdAt"] == result["createdAt"] <= timeline["startedAt"] <= timeline["finishedAt"]
    assert timeline["runMs"] == result["usage"]["durationMs"] and timeline["queueMs"] >= 0
    assert client.get(f"/api/run/{result['id']}?details=yes").status_code == 400
    assert api.get(f"/api/run/{result['id']}?details=true").status_code == 404  # another project's key


def test_details_of_a_running_run(api, background):
    waiting = background.submit(
        api.run, "import time; time.sleep(1e9)", policy=LONG, userContext={"id": "details-open"}
    )
    run = find_open(api, "details-open")
    body = wait_for(
        lambda: (s := api.get(f"/api/run/{run['id']}?details=true").json()).get("status") == "running" and s,
        "it runs",
    )
    assert body["details"]["request"]["code"].startswith("import time") and "cost" not in body["details"]
    assert [r["id"] for r in api.get("/api/runs?status=running&userId=details-open").json()["runs"]] == [run["id"]]
    assert api.get("/api/runs?status=queued&userId=details-open").json()["runs"] == []
    api.post(f"/api/run/{run['id']}/cancel")
    waiting.result(60)


def test_store_false_keeps_only_the_metering(server, api):
    result = api.run("print('gone')", store=False)
    assert result["stdout"] == "gone\n"
    assert api.get(f"/api/run/{result['id']}").status_code == 404
    assert server.query("SELECT COUNT(*) FROM ledger WHERE run_id = ?", result["id"]) == [(1,)]
    assert server.query("SELECT COUNT(*) FROM runs WHERE id = ?", result["id"]) == [(0,)]


def test_inputs_are_stored_without_environment_values(server, api):
    result = api.run("print('stored')", env={"NAME": "hidden-value"}, stdin="in")
    [(request,)] = server.query("SELECT request FROM run_requests WHERE run_id = ?", result["id"])
    text = bytes(request).decode()
    assert "print('stored')" in text and "NAME" in text and "hidden-value" not in text


def test_running_and_cancel(api, background):
    code = "import time; print('begun', flush=True); time.sleep(1e9)"
    waiting = background.submit(api.run, code, policy=LONG, userContext={"id": "cancel-me"})
    run = find_open(api, "cancel-me")
    status = wait_for(
        lambda: (s := api.get(f"/api/run/{run['id']}").json()).get("status") == "running" and s,
        "it runs",
    )
    assert status["lang"] == "python" and "outcome" not in status
    time.sleep(0.5)  # so that it has most likely written; a cancel at any moment is right
    cancelled = api.post(f"/api/run/{run['id']}/cancel")
    assert cancelled.status_code == 200
    result = cancelled.json()
    assert (result["outcome"], result["exitCode"], result["ok"]) == ("cancelled", 130, False)
    assert waiting.result(60) == result
    assert api.get(f"/api/run/{run['id']}").json() == result
    again = api.post(f"/api/run/{run['id']}/cancel")
    assert again.status_code == 409 and again.json()["code"] == "already_finished"


def test_cancel_keeps_output_and_is_metered(server, api, background):
    code = "print('kept', flush=True)\nwhile True: pass"
    waiting = background.submit(api.run, code, policy=LONG, userContext={"id": "cancel-metered"})
    run = find_open(api, "cancel-metered")
    wait_for(lambda: api.get(f"/api/run/{run['id']}").json().get("status") == "running", "it runs")
    time.sleep(1)
    api.post(f"/api/run/{run['id']}/cancel")
    result = waiting.result(60)
    assert result["stdout"] == "kept\n" and result["usage"]["cpuMs"] > 0
    [(outcome, cpu)] = server.query("SELECT outcome, cpu_ns FROM ledger WHERE run_id = ?", run["id"])
    assert outcome == "cancelled" and cpu > 0


def test_cancel_a_waiting_run(own_server, make_client, background):
    server = own_server("--slots", "1")
    client = make_client(server, server.create_key()["key"])
    first = background.submit(client.run, "import time; time.sleep(1e9)", policy=LONG, userContext={"id": "a"})
    holder = find_open(client, "a")
    wait_for(lambda: client.get(f"/api/run/{holder['id']}").json().get("status") == "running", "it runs")
    second = background.submit(client.run, "print(2)", userContext={"id": "b"})
    waiting = find_open(client, "b")
    assert client.get(f"/api/run/{waiting['id']}").json()["status"] == "queued"
    result = client.post(f"/api/run/{waiting['id']}/cancel").json()
    assert result["outcome"] == "cancelled" and result["stdout"] == ""
    assert second.result(60) == result
    client.post(f"/api/run/{holder['id']}/cancel")
    assert first.result(60)["outcome"] == "cancelled"


def test_a_client_that_goes_away_without_a_stream_does_not_cancel(server, api):
    import json

    body = json.dumps({
        "code": "import time; time.sleep(1); print('finished')", "lang": "python",
        "policy": {"timeoutMs": 60000}, "userContext": {"id": "left"},
    })
    with server.connect() as connection:
        connection.sendall(
            f"POST /api/run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        run = find_open(api, "left")
    result = wait_for(
        lambda: (r := api.get(f"/api/run/{run['id']}").json()).get("outcome") and r, "it ends"
    )
    assert result["outcome"] == "ok" and result["stdout"] == "finished\n"


def test_history_is_purged(own_server, make_client):
    """Runs older than the setting go, their metering stays."""
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    kept, old = client.run("print(1)"), client.run("print(2)")
    server.stop()
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(server.folder / "docle.db")) as database:
        database.execute(
            "UPDATE runs SET created_at = created_at - 8 * 86400 * 1000000000 WHERE id = ?", (old["id"],)
        )
        database.commit()
    server.start()
    wait_for(lambda: client.get(f"/api/run/{old['id']}").status_code == 404, "the old run is purged")
    assert client.get(f"/api/run/{kept['id']}").json() == kept
    assert server.query("SELECT COUNT(*) FROM ledger") == [(2,)]
    assert server.query("SELECT COUNT(*) FROM run_outputs WHERE run_id = ?", old["id"]) == [(0,)]
