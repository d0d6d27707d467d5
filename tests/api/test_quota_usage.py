"""Plans, the month's quota and usage: exactly as many runs as there are, and figures that agree."""

import concurrent.futures
import csv
import datetime
import io
import json
import signal

import pytest
import requests

from harness import PATIENCE_S, wait_for

BODY = {"code": "print(1)", "lang": "python"}
MONTH = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m")


def used(server):
    return server.query("SELECT COALESCE(SUM(used), 0) FROM quota")[0][0]


def test_a_hundred_at_once_get_the_last_one(own_server):
    """At 99 of 100 used, a hundred parallel requests give exactly one run."""
    server = own_server("--plans-free-runs", "100", "--project-queued", "200")
    key = server.create_key()["key"]
    headers = {"Authorization": key}

    def run(_):
        answer = requests.post(server.url("/api/run"), json=BODY, headers=headers, timeout=PATIENCE_S * 2)
        return answer.status_code, answer.json()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {status for status, _ in pool.map(run, range(99))} == {200}
        assert used(server) == 99
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(run, range(100)))
    assert sorted(status for status, _ in answers) == [200] + [429] * 99
    refused = next(body for status, body in answers if status == 429)
    assert refused["error"] == "Free tier limit exceeded" and refused["code"] == "quota_exceeded"
    assert refused["limit"] == 100 and refused["usage"] == 100 and refused["upgrade_url"] == "http://localhost:8787/dashboard/billing"
    assert used(server) == 100 and server.query("SELECT COUNT(*) FROM ledger") == [(100,)]
    usage = requests.get(server.url("/api/usage"), headers=headers, timeout=PATIENCE_S).json()
    assert usage["runs"] == 100 and usage["cost"] == 0.1


def test_quota_answers_fit_the_contract(own_server, make_client, fresh_key):
    server = own_server("--plans-free-runs", "1")
    client = make_client(server, server.create_key()["key"])
    first = client.run("print(1)", headers={"Idempotency-Key": fresh_key})
    again = client.run("print(1)", headers={"Idempotency-Key": fresh_key})
    assert again == first  # a replay costs nothing
    answer = client.post("/api/run", BODY)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert client.post("/api/run", {**BODY, "stream": True}).status_code == 429
    assert client.get("/api/runs").status_code == 200
    # Another project has its own, and test runs are none of it.
    make_client(server, server.create_key("other")["key"]).run("print(1)")
    test = make_client(server, server.create_key("default", "--test")["key"])
    assert test.run("print(1)")["test"] is True and used(server) == 2


def test_what_costs_nothing_is_given_back(own_server, make_client):
    server = own_server("--plans-free-runs", "3", "--packages-enabled", "off")
    client = make_client(server, server.create_key()["key"])
    assert client.post("/api/run", {**BODY, "packages": ["x"]}).status_code == 400
    assert used(server) == 0
    client.run("print(1)")
    assert used(server) == 1


def test_plans_have_ceilings_with_billing(own_server, make_client):
    server = own_server("--billing", "cloudevents", "--billing-events-url", "http://127.0.0.1:9/", "--plans-free-timeout-ms", "1000")
    client = make_client(server, server.create_key()["key"])
    result = client.run("print(1)")
    assert result["limits_applied"]["timeoutMs"] == 1000
    answer = client.post("/api/run", {**BODY, "policy": {"timeoutMs": 2000, "memoryMB": 1024}})
    assert answer.status_code == 400 and answer.json()["code"] == "above_ceiling"
    assert "the plan free" in answer.text and len(answer.json()["details"]) == 2


def test_without_billing_plans_limit_nothing(api):
    result = api.run("print(1)", policy={"timeoutMs": 60000, "memoryMB": 1024})
    assert "limits_applied" not in result
    assert api.server.query("SELECT COUNT(*) FROM quota") == [(0,)]


def test_test_keys_are_held_to_the_free_plan(server, make_client):
    client = make_client(server, server.create_key("testing", "--test")["key"])
    answer = client.post("/api/run", {**BODY, "policy": {"timeoutMs": 4000}})
    assert answer.status_code == 400 and "a test key" in answer.text
    result = client.run("print(1)")
    assert result["test"] is True
    assert client.get(f"/api/run/{result['id']}").json() == result
    usage = client.get("/api/usage").json()
    assert usage["runs"] == 0 and usage["testRuns"] == 1 and usage["cost"] == 0
    assert server.query("SELECT amount_micros FROM ledger WHERE run_id = ?", result["id"]) == [(0,)]


@pytest.fixture(scope="module")
def metered(server, make_client):
    client = make_client(server, server.create_key("metered")["key"])
    client.run("print(1)")
    client.run("raise SystemExit(1)", userContext={"id": "=cmd|' /C calc'!A0"})
    client.run("console.log(1)", "node", userContext={"id": 'a"b'}, store=False)
    return client


def test_usage_of_a_month(metered):
    usage = metered.get("/api/usage").json()
    assert usage["period"] == MONTH and usage["runs"] == 3 and usage["cost"] == 0.003
    assert usage["currency"] == "usd"
    assert {row["lang"]: row["runs"] for row in usage["byLang"]} == {"node": 1, "python": 2}
    assert {row["outcome"]: row["runs"] for row in usage["byOutcome"]} == {"error": 1, "ok": 2}
    assert sum(row["runs"] for row in usage["byDay"]) == 3
    assert [row["runs"] for row in usage["byKey"]] == [3]
    assert {row["userId"] for row in usage["byUser"]} == {"=cmd|' /C calc'!A0", 'a"b'}
    for name in ("cpuMs", "memMb", "durationMs", "cost"):
        assert sum(row[name] for row in usage["byLang"]) == pytest.approx(usage[name])
    assert usage["avgDurationMs"] == round(usage["durationMs"] / 3) or abs(usage["avgDurationMs"] * 3 - usage["durationMs"]) <= 2
    assert metered.get(f"/api/usage?period={MONTH}").json() == usage
    assert metered.get("/api/usage?period=2001-01").json()["runs"] == 0


def test_usage_is_that_of_the_answers(metered):
    """The sums are those of what clients were told."""
    ids = [run["id"] for run in metered.get("/api/runs").json()["runs"]]
    told = [metered.get(f"/api/run/{run}").json()["usage"] for run in ids]
    node = next(row for row in metered.get("/api/usage").json()["byLang"] if row["lang"] == "python")
    assert node["cpuMs"] == sum(one["cpuMs"] for one in told)
    assert node["memMb"] == sum(one["memMB"] for one in told)
    assert node["durationMs"] == sum(one["durationMs"] for one in told)


def test_usage_as_csv(metered):
    answer = metered.get("/api/usage?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["by"] for row in rows} == {"day", "lang", "outcome", "keyId", "userId"}
    assert sum(int(row["runs"]) for row in rows if row["by"] == "lang") == 3
    users = {row["value"] for row in rows if row["by"] == "userId"}
    assert users == {"'=cmd|' /C calc'!A0", 'a"b'}  # no formula, and quotes survive


def test_trends(metered):
    trends = metered.get("/api/usage/trends").json()["trends"]
    assert len(trends) == 6 and trends[-1] == {"period": MONTH, "runs": 3, "cost": 0.003}
    assert [row["period"] for row in trends] == sorted(row["period"] for row in trends)
    assert [row["runs"] for row in trends[:-1]] == [0] * 5
    assert len(metered.get("/api/usage/trends?months=24").json()["trends"]) == 24


@pytest.mark.parametrize(
    "query",
    ["?period=2025", "?period=2025-13", "?period=2025-00", "?period=202510", "?period=2025-1x", "?period=%00",
     "?format=xml", "?months=1", "?period=2025-10&period=2025-11", "/trends?months=0", "/trends?months=25",
     "/trends?period=2025-10"],
)
def test_wrong_questions(metered, query):
    assert metered.get(f"/api/usage{query}").status_code == 400


def test_usage_is_the_own_projects_alone(metered, other_api):
    assert other_api.get("/api/usage").json()["byUser"] == []
    assert metered.request("GET", "/api/usage", auth=False).status_code == 401


def test_prices_hold_from_when_they_change(own_server, make_client):
    server = own_server("--price-run", "0.25", "--price-cpu-ms", "0.5", "--price-currency", "eur")
    client = make_client(server, server.create_key()["key"])
    cpu = client.run("print(1)")["usage"]["cpuMs"]
    usage = client.get("/api/usage").json()
    assert usage["cost"] == 0.25 + 0.5 * cpu and usage["currency"] == "eur"
    assert server.query("SELECT run_micros, cpu_ms_micros, currency FROM prices") == [(250000, 500000, "eur")]


@pytest.mark.parametrize("flag, value", [("--price-run", "0.0000001"), ("--price-run", "x"), ("--price-currency", "EURO")])
def test_wrong_prices(server, flag, value):
    done = server.docle("serve", flag, value, "--listen", "127.0.0.1:0", "--data-dir", str(server.data / "other"), check=False)
    assert done.returncode != 0 and "price." in done.stderr


def test_budget_of_a_key_stops(server, make_client):
    made = server.create_key("budgets", "--budget", "0.003", "--budget-stops", "yes")
    client = make_client(server, made["key"])
    for _ in range(3):
        client.run("print(1)")
    answer = client.post("/api/run", BODY)
    assert answer.status_code == 402 and answer.json()["code"] == "budget_exceeded"
    assert answer.json()["budget"] == "key"
    events = server.query("SELECT threshold FROM budget_events WHERE subject = ? ORDER BY threshold", made["id"])
    assert events == [(50,), (75,), (100,)]
    assert client.get("/api/runs").status_code == 200
    server.docle("keys", "limit", made["id"], "--budget-stops", "no")
    client.run("print(1)")
    assert server.query("SELECT COUNT(*) FROM budget_events WHERE subject = ?", made["id"]) == [(3,)]


def budget_runs(server, key, count, clients=100, **fields):
    """Statuses of that many requests at once."""
    def run(_):
        return requests.post(server.url("/api/run"), json={**BODY, **fields}, headers={"Authorization": key},
                             timeout=PATIENCE_S * 2).status_code

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return sorted(pool.map(run, range(count)))


@pytest.mark.parametrize("whose", ["key", "project", "user"])
def test_a_hundred_at_once_get_the_last_of_a_budget(own_server, whose):
    """With one run left of a budget that stops, a hundred parallel requests give exactly one run."""
    server = own_server("--project-queued", "200")
    options = ("--budget", "0.003", "--budget-stops", "yes") if whose == "key" else ()
    made = server.create_key("default", *options)
    if whose != "key":
        flag = "--budget" if whose == "project" else "--user-budget"
        server.docle("projects", "limits", "default", flag, "0.003", "--budget-stops", "yes")
    someone = {"userContext": {"id": "u1"}}
    assert budget_runs(server, made["key"], 2, **someone) == [200, 200]
    assert budget_runs(server, made["key"], 100, **someone) == [200] + [402] * 99
    assert server.query("SELECT COUNT(*), SUM(amount_micros) FROM ledger") == [(3, 3000)]
    assert server.query("SELECT COUNT(*) FROM budget_holds") == [(0,)]
    assert server.query("SELECT threshold FROM budget_events ORDER BY 1") == [(50,), (75,), (100,)]
    if whose == "user":
        assert budget_runs(server, made["key"], 1, userContext={"id": "u2"}) == [200]


def test_what_is_under_way_is_held_and_a_crash_frees_it(own_server, make_client):
    server = own_server()
    made = server.create_key("default", "--budget", "0.001", "--budget-stops", "yes")
    client = make_client(server, made["key"])
    long = {"code": "import time; time.sleep(1e9)", "lang": "python", "policy": {"timeoutMs": 300000}}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(requests.post, server.url("/api/run"), json=long, headers={"Authorization": made["key"]})
        wait_for(lambda: server.query("SELECT micros FROM budget_holds") == [(1000,)], "it is held")
        answer = client.post("/api/run", BODY)
        assert answer.status_code == 402 and "under way" in answer.json()["message"]
        server.stop(signal.SIGKILL)
        with pytest.raises(requests.RequestException):
            job.result()
    server.start()
    assert server.query("SELECT COUNT(*) FROM budget_holds") == [(0,)]
    client.run("print(1)")
    assert client.post("/api/run", BODY).status_code == 402


def test_a_cancelled_run_gives_back_what_it_did_not_cost(own_server, make_client):
    """With a price for CPU time a run holds what its policy lets it cost, and pays what it did."""
    server = own_server("--price-cpu-ms", "0.001", "--price-run", "0.001", "--limits-cpus", "1")
    client = make_client(server, server.create_key("default", "--budget", "4", "--budget-stops", "yes")["key"])
    assert client.post("/api/run", {**BODY, "policy": {"timeoutMs": 5000}}).status_code == 402
    assert server.query("SELECT COUNT(*) FROM budget_events") == [(0,)]  # refused for its size: nothing is used up
    for _ in range(3):
        client.run("print(1)", policy={"timeoutMs": 3000})
    client.run("print(1)", policy={"timeoutMs": 300000, "cpuMs": 2000})
    spent = server.query("SELECT SUM(amount_micros) FROM ledger")[0][0]
    assert 4000 <= spent < 4000000 and server.query("SELECT COUNT(*) FROM budget_holds") == [(0,)]


def test_a_quota_set_in_mid_month_begins_with_the_ledger(own_server, make_client):
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    test = make_client(server, server.create_key("default", "--test")["key"])
    for _ in range(3):
        client.run("print(1)")
    test.run("print(1)")
    server.docle("projects", "limits", "default", "--runs-per-month", "4")
    client.run("print(1)")
    answer = client.post("/api/run", BODY)
    assert answer.status_code == 429 and (answer.json()["limit"], answer.json()["usage"]) == (4, 4)
    server.docle("projects", "limits", "default", "--runs-per-month", "none")
    client.run("print(1)")
    server.docle("projects", "limits", "default", "--runs-per-month", "6")
    client.run("print(1)")
    assert client.post("/api/run", BODY).json()["usage"] == 6


def test_a_free_tier_that_is_switched_on_in_mid_month(own_server, make_client):
    server = own_server()
    client = make_client(server, server.create_key()["key"])
    client.run("print(1)")
    server.stop()
    server.flags = ("--plans-free-runs", "2")
    server.start()
    client.run("print(1)")
    assert client.post("/api/run", BODY).json()["usage"] == 2


def test_test_runs_in_lists(server, make_client):
    live = make_client(server, server.create_key("both")["key"])
    test = make_client(server, server.create_key("both", "--test")["key"])
    ids = {False: live.run("print(1)")["id"], True: test.run("print(2)")["id"]}
    listed = {run["id"]: run for run in live.get("/api/runs").json()["runs"]}
    assert "test" not in listed[ids[False]] and listed[ids[True]]["test"] is True
    for which in (False, True):
        found = live.get("/api/runs", params={"test": str(which).lower()}).json()["runs"]
        assert [run["id"] for run in found] == [ids[which]]
    assert live.get("/api/runs?test=1").status_code == 400
    assert "test" not in live.get(f"/api/run/{ids[False]}").json()
    usage = live.get("/api/usage").json()
    assert (usage["runs"], usage["testRuns"]) == (1, 1)


def test_a_test_run_that_a_crash_ended_is_marked(own_server, make_client):
    server = own_server()
    made = server.create_key("default", "--test")
    client = make_client(server, made["key"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(requests.post, server.url("/api/run"), headers={"Authorization": made["key"]},
                    json={"code": "import time; time.sleep(1e9)", "lang": "python"})
        ((run,),) = wait_for(lambda: server.query("SELECT id FROM runs"), "it is admitted")
        server.stop(signal.SIGKILL)
    server.start()
    result = client.get(f"/api/run/{run}").json()
    assert (result["outcome"], result["test"]) == ("sandbox_error", True)
