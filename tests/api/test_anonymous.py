"""Runs without key and session: only where the operator allows them, only from pages of the server, within limits of
their own that hold in parallel too, and for nobody to be billed."""

import concurrent.futures
import json

import pytest

from accounts import Browser
from harness import Server

PROJECT = "00000000-0000-7000-8000-000000000001"
FLAGS = ("--anonymous-enabled", "yes", "--anonymous-runs-per-minute", "1000", "--anonymous-timeout-ms", "2000",
         "--anonymous-memory-mb", "128", "--anonymous-running", "2")
RUN = {"lang": "python", "code": "print('anybody')"}


def serving(*flags):
    made = Server(*flags)
    made.start()
    try:
        yield made
        assert made.stop() == 0, made.log_text()[-4000:]
    finally:
        made.clean()


@pytest.fixture(scope="module")
def place():
    yield from serving(*FLAGS)


@pytest.fixture
def page(place, contract):
    """A page of the server, nobody signed in."""
    return Browser(place, contract)


def test_without_the_setting_a_key_is_needed(server, contract):
    assert Browser(server, contract).post("/api/run", RUN).status_code == 401
    info = Browser(server, contract).get("/api/server").json()
    assert info["anonymousRuns"] is False and "anonymous" not in info


def test_the_server_says_what_may_be_had(page):
    info = page.get("/api/server").json()
    assert info["anonymousRuns"] is True
    assert info["anonymous"]["policy"]["timeoutMs"]["max"] == 2000
    assert info["anonymous"]["policy"]["memoryMB"] == {"min": 64, "max": 128, "default": 128}
    assert info["anonymous"]["packages"] is False


def test_a_run_is_metered_and_never_billed(place, page):
    result = page.post("/api/run", RUN).json()
    assert result["stdout"] == "anybody\n" and result["test"] is True
    assert page.get(f"/api/run/{result['id']}").json()["stdout"] == "anybody\n"
    assert place.query("SELECT project_id, test, COALESCE(amount_micros, 0) FROM ledger WHERE run_id = ?", result["id"]) == [
        (PROJECT, 1, 0)]


def test_a_stream_is_given(page):
    answer = page.post("/api/run", RUN, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 200 and "event: result" in answer.text


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
    {"Origin": None, "Sec-Fetch-Site": "cross-site"}, {"Origin": None, "Sec-Fetch-Site": "same-site"},
    {"Origin": None, "Sec-Fetch-Site": None}, {"Origin": "null", "Sec-Fetch-Site": None},
])
def test_other_sites_and_programs_get_nothing(place, page, headers):
    before = place.query("SELECT COUNT(*) FROM runs")
    answer = page.post("/api/run", RUN, headers=headers)
    assert answer.status_code == 403 and answer.json()["code"] == "cross_site", answer.text
    assert place.query("SELECT COUNT(*) FROM runs") == before


def test_nothing_else_is_open(place, page, contract):
    key = place.create_key("a project")
    other = Browser(place, contract, browser=False)
    headers = {"Authorization": f"Bearer {key['key']}"}
    theirs = other.post("/api/run", RUN, headers=headers).json()["id"]
    assert page.get(f"/api/run/{theirs}").status_code == 404
    assert page.post(f"/api/run/{theirs}/cancel").status_code == 404
    for path in ("/api/runs", "/api/usage", "/api/limits", "/api/keys", f"/api/projects/{PROJECT}", "/api/billing"):
        assert page.get(path).status_code == 401, path
    assert page.post("/api/shares", RUN).status_code == 401
    own = page.post("/api/run", RUN).json()["id"]
    assert other.get(f"/api/run/{own}", headers=headers).status_code == 404


def test_a_wrong_key_is_not_nobody(page):
    answer = page.post("/api/run", RUN, headers={"Authorization": "Bearer sk_live_" + "0" * 64})
    assert answer.status_code == 401


@pytest.mark.parametrize("fields,path", [
    ({"policy": {"timeoutMs": 2001}}, "policy.timeoutMs"), ({"policy": {"memoryMB": 129}}, "policy.memoryMB"),
    ({"policy": {"cpus": 1.01}}, "policy.cpus"), ({"policy": {"allowNet": True, "allowedHosts": ["example.com"]}}, "policy.allowNet"),
    ({"policy": {"allowNetwork": True}}, "policy.allowNetwork"), ({"packages": ["six"]}, "packages"),
    ({"files": [{"path": "main.py", "content": ""}, {"path": "requirements.txt", "content": "six"}]}, "packages"),
    ({"repo": "owner/name"}, "repo"),
])
def test_what_needs_an_account_is_named(page, fields, path):
    body = {key: value for key, value in {**RUN, **fields}.items() if not ("repo" in fields and key == "code")}
    answer = page.post("/api/run", body)
    assert answer.status_code == 400, answer.text
    assert path in [one["path"] for one in answer.json()["details"]]


def test_limits_hold_without_being_asked_for(page):
    result = page.post("/api/run", {"lang": "python", "code": "while True: pass"}).json()
    assert result["outcome"] == "timeout" and result["usage"]["durationMs"] < 20000
    assert result["limits_applied"]["timeoutMs"] == 2000


def test_end_users_cannot_be_named(place, page):
    result = page.post("/api/run", {**RUN, "userContext": {"id": "somebody"}}).json()
    assert place.query("SELECT user_id FROM runs WHERE id = ?", result["id"]) == [(None,)]


def test_a_program_is_small(page):
    answer = page.post("/api/run", {**RUN, "stdin": "x" * (1 << 20)})
    assert answer.status_code == 413


def test_places_are_few_in_parallel(page):
    body = {"lang": "python", "code": "import time; time.sleep(1)"}
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: page.post("/api/run", body), range(12)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} <= {200, 429} and refused
    assert {answer.json()["code"] for answer in refused} == {"anonymous_busy"}
    assert all(answer.headers["Retry-After"] for answer in refused)
    assert page.post("/api/run", RUN).status_code == 200


def test_a_key_with_the_same_word_replays(place, page):
    headers = {"Idempotency-Key": "0f0e0d0c-word"}
    first = page.post("/api/run", RUN, headers=headers).json()
    again = page.post("/api/run", RUN, headers=headers)
    assert again.json()["id"] == first["id"] and again.headers["Idempotent-Replayed"] == "true"


def test_nobody_adopts_their_project(place, page):
    page.sign_in("first@example.com")
    assert page.me()["project"]["id"] != PROJECT
    assert PROJECT not in json.dumps(page.get("/api/projects").json())
    # Who has signed in runs in a project of his own, within its limits.
    result = page.post("/api/run", {**RUN, "policy": {"timeoutMs": 4000}}).json()
    assert place.query("SELECT project_id FROM runs WHERE id = ?", result["id"]) == [(page.me()["project"]["id"],)]


def test_the_operator_stops_them_at_once(place, page):
    place.docle("projects", "suspend", PROJECT)
    answer = page.post("/api/run", RUN)
    assert answer.status_code == 403 and answer.json()["code"] == "project_suspended"


def test_the_rate_of_an_address_holds_in_parallel(contract):
    for place in serving("--anonymous-enabled", "yes", "--anonymous-runs-per-minute", "3", "--anonymous-running", "100"):
        page = Browser(place, contract)
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: page.post("/api/run", RUN), range(10)))
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 7
        assert {a.json()["code"] for a in answers if a.status_code == 429} == {"rate_limited"}
        # Another address has a rate of its own; the same subscriber's other addresses do not.
        six = {"X-Forwarded-For": "2001:db8:1:2::1"}
        assert [page.post("/api/run", RUN, headers=six).status_code for _ in range(3)] == [200] * 3
        assert page.post("/api/run", RUN, headers={"X-Forwarded-For": "2001:db8:1:2:ffff::9"}).status_code == 429
        assert page.post("/api/run", RUN, headers={"X-Forwarded-For": "2001:db8:1:3::1"}).status_code == 200
