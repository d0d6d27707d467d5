"""Who may ask: A-15, A-16 and revocation at once."""

import concurrent.futures
import statistics
import time

import pytest
import requests

from harness import PATIENCE_S, wait_for

BODY = {"code": "print(1)", "lang": "python"}


def post(api, headers):
    return api.request("POST", "/api/run", headers=headers, auth=False, json=BODY)


def test_without_a_key(api):
    answer = post(api, {})
    assert answer.status_code == 401
    body = answer.json()
    assert body["error"] == "Missing Authorization header" and body["code"] == "missing_api_key"
    assert "docle keys create" in body["message"]


@pytest.mark.parametrize(
    "value",
    [
        "Bearer sk_live_" + "0" * 48,
        "sk_live_" + "0" * 48,
        "Bearer ",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer sk_test_" + "0" * 48,
        "x" * 4000,
        "Bearer ' OR 1=1 --",
        "Bearer \xff\xfe",
    ],
    ids=["unknown", "bare", "empty", "scheme", "basic", "test", "long", "sql", "bytes"],
)
def test_unknown_keys(api, value):
    answer = post(api, {"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] in ("invalid_api_key", "missing_api_key")
    assert "sk_" not in answer.text.replace("sk_live_…", "")  # never echoed


def test_a_key_is_case_sensitive_and_whole(api, key):
    raw = key["key"]
    assert raw.startswith("sk_live_") and len(raw) == 56
    for wrong in (raw[:-1], raw + "0", raw.upper(), " ".join([raw, raw])):
        assert post(api, {"Authorization": f"Bearer {wrong}"}).status_code == 401
    for right in (f"Bearer {raw}", f"bearer {raw}", raw):
        assert post(api, {"Authorization": right}).status_code == 200


def test_every_run_route_needs_a_key(api):
    some = "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"
    for method, path in (
        ("POST", "/api/run"), ("GET", f"/api/run/{some}"), ("GET", "/api/runs"),
        ("POST", f"/api/run/{some}/cancel"),
    ):
        assert api.request(method, path, auth=False).status_code == 401, path


def test_the_key_is_checked_before_the_body(api):
    answer = api.request("POST", "/api/run", auth=False, data=b"{", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 401


def test_new_keys_work_at_once(server, make_client):
    for _ in range(5):
        client = make_client(server, server.create_key("tests")["key"])
        assert client.get("/api/runs").status_code == 200


def test_revocation_is_effective_at_once(server, make_client):
    for _ in range(5):
        made = server.create_key("tests")
        client = make_client(server, made["key"])
        assert client.get("/api/runs").status_code == 200
        server.revoke_key(made["id"])
        answer = client.get("/api/runs")
        assert answer.status_code == 401
        assert answer.json()["error"] == "Invalid API key"


def test_revocation_under_load(server, make_client):
    """After the command has returned not one request gets through, on any connection."""
    made = server.create_key("tests")
    stop_at = []

    def hammer():
        late = 0
        with requests.Session() as session:
            session.headers["Authorization"] = made["key"]
            while True:
                begun = time.monotonic()
                status = session.get(server.url("/api/runs?limit=1"), timeout=PATIENCE_S).status_code
                if status == 401:
                    return late
                late += bool(stop_at and begun > stop_at[0])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(hammer) for _ in range(4)]
        time.sleep(0.3)
        server.revoke_key(made["id"])
        stop_at.append(time.monotonic())
        assert [job.result(PATIENCE_S) for job in jobs] == [0] * 4


def test_last_use_is_recorded(server, api, make_client):
    made = server.create_key("tests")
    client = make_client(server, made["key"])

    def last_used():
        return server.query("SELECT last_used_at FROM api_keys WHERE id = ?", made["id"])[0][0]

    assert last_used() is None
    assert client.get("/api/runs").status_code == 200
    wait_for(last_used, "the last use is recorded")


def test_only_the_hash_is_stored(server, key):
    for path in server.folder.iterdir():
        if path.is_file():
            assert key["key"].encode() not in path.read_bytes(), path
    assert key["key"][8:] not in server.log_text()
    assert key["prefix"] == key["key"][:12]


def test_nothing_secret_is_logged(server, api):
    """A-16: keys, code, output, environment values, queries."""
    marks = [f"secretmark{i}x" for i in range(6)]
    api.run(f"print('{marks[0]}')", stdin=marks[1], env={"A": marks[2]}, args=[marks[3]])
    api.get(f"/api/runs?cursor={marks[4]}")
    api.request("GET", "/api/runs", headers={"Authorization": f"Bearer sk_live_{marks[5]}"})
    log = server.log_text()
    assert not [mark for mark in marks if mark in log]


def test_a_key_in_the_url_is_no_key(api, key):
    answer = api.request("GET", f"/api/runs?key={key['key']}&authorization={key['key']}", auth=False)
    assert answer.status_code == 401 and key["key"] not in answer.text


def test_answers_do_not_tell_keys_apart(server, api):
    """A-15: unknown and revoked, wrong at the start and at the end: the same answer, the same time."""
    revoked = server.create_key("tests")
    server.revoke_key(revoked["id"])
    raw = api.key
    kinds = {
        "first": raw[:8] + ("0" if raw[8] != "0" else "1") + raw[9:],
        "last": raw[:-1] + ("0" if raw[-1] != "0" else "1"),
        "revoked": revoked["key"],
        "unknown": "sk_live_" + "a" * 48,
    }
    times = {kind: [] for kind in kinds}
    bodies = set()
    with requests.Session() as session:
        for _ in range(400):
            for kind, text in kinds.items():
                begun = time.perf_counter()
                answer = session.get(server.url("/api/runs"), headers={"Authorization": f"Bearer {text}"})
                times[kind].append(time.perf_counter() - begun)
                body = answer.json()
                body.pop("requestId")
                bodies.add((answer.status_code, str(sorted(body.items()))))
    assert len(bodies) == 1
    # The look-up is by hash; this only catches a gross mistake, such as a slow path for one kind.
    medians = [statistics.median(values) for values in times.values()]
    assert max(medians) < 5 * min(medians), dict(zip(kinds, medians))
