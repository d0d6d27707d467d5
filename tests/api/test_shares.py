"""Programs shared by link: what is kept, who may read, list and delete, and what nobody gets out of it."""

import concurrent.futures
import contextlib
import json
import sqlite3
import uuid

import pytest
import requests

from accounts import Browser, set_role
from harness import PATIENCE_S, Server

PROGRAM = {"lang": "python", "code": "print('shared')"}


@pytest.fixture(scope="module")
def place():
    made = Server("--auth-links-per-client", "1000")
    made.start()
    yield made
    assert made.stop() == 0, made.log_text()[-4000:]
    made.clean()


@pytest.fixture(scope="module")
def ada(place, contract):
    person = Browser(place, contract)
    person.sign_in("ada@example.com")
    return person


@pytest.fixture(scope="module")
def eve(place, ada, contract):
    """Of another project."""
    invited(ada, "eve@example.com")
    person = Browser(place, contract)
    person.sign_in("eve@example.com")
    project = person.post("/api/projects", {"name": "eves"}).json()["project"]["id"]
    assert person.post(f"/api/projects/{project}/switch").status_code == 200
    return person


def invited(person, email, role="viewer"):
    project = person.me()["project"]["id"]
    assert person.post(f"/api/projects/{project}/invitations", {"email": email, "role": role}).status_code == 200


@pytest.fixture
def anybody(place, contract):
    return Browser(place, contract, browser=False)


def share(person, status=200, **fields):
    answer = person.post("/api/shares", {**PROGRAM, **fields})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_share_is_read_by_whoever_knows_its_id(place, ada, anybody):
    files = [{"path": "main.mjs", "content": "console.log(1)"}, {"path": "a.bin", "content": "AAH/", "encoding": "base64"}]
    policy = {"timeoutMs": 5000, "memoryMB": 128}
    body = {"lang": "node", "files": files, "entrypoint": "main.mjs", "stdin": "in", "args": ["a b"], "packages": ["lodash"],
            "policy": policy, "env": {"TOKEN": "secret-value"}, "title": "Numbers", "expiresInDays": 7}
    answer = ada.post("/api/shares", body)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["url"].endswith(f"/s/{made['id']}")
    read = anybody.get(f"/api/shares/{made['id']}").json()
    assert read["title"] == "Numbers" and read["lang"] == "node" and read["expiresAt"] > read["createdAt"]
    assert read["request"] == {"lang": "node", "files": files, "entrypoint": "main.mjs", "stdin": "in", "args": ["a b"],
                               "packages": ["lodash"], "policy": policy, "env": {"TOKEN": ""}}
    assert "secret-value" not in json.dumps(place.query("SELECT * FROM shares"))
    assert "ada" not in json.dumps(read)


def test_forks_keep_where_they_came_from(ada, anybody):
    first = share(ada)
    fork = share(ada, forkedFrom=first["id"])
    assert anybody.get(f"/api/shares/{fork['id']}").json()["forkedFrom"] == first["id"]
    assert ada.request("DELETE", f"/api/shares/{first['id']}").status_code == 200
    assert share(ada, forkedFrom=first["id"])["forkedFrom"] is None


def test_ids_cannot_be_guessed(ada, eve):
    ids = [share(person)["id"] for person in (ada, eve) for _ in range(4)]
    numbers = [uuid.UUID(one).int for one in ids]
    assert len(set(ids)) == len(ids)
    # No time, no counter, no version in them: every bit differs somewhere.
    same = (1 << 128) - 1
    for one in numbers[1:]:
        same &= ~(one ^ numbers[0])
    assert bin(same).count("1") < 16


def test_others_neither_list_nor_delete(place, ada, eve, anybody):
    made = share(ada)
    project = ada.me()["project"]["id"]
    assert made["id"] in [one["id"] for one in ada.get(f"/api/projects/{project}/shares").json()["shares"]]
    own = eve.me()["project"]["id"]
    assert made["id"] not in [one["id"] for one in eve.get(f"/api/projects/{own}/shares").json()["shares"]]
    assert eve.request("DELETE", f"/api/shares/{made['id']}").status_code == 404
    assert anybody.request("DELETE", f"/api/shares/{made['id']}").status_code == 401
    assert anybody.get(f"/api/projects/{project}/shares").status_code == 401
    assert anybody.get(f"/api/shares/{made['id']}").status_code == 200
    assert ada.request("DELETE", f"/api/shares/{made['id']}").status_code == 200
    assert anybody.get(f"/api/shares/{made['id']}").status_code == 404
    assert ada.request("DELETE", f"/api/shares/{made['id']}").status_code == 404


def test_admins_delete_what_members_shared_and_developers_do_not(place, ada, eve):
    project, user = eve.me()["project"]["id"], ada.me()["user"]["id"]
    made = share(eve)
    set_role(place, project, user, "developer")
    assert ada.request("DELETE", f"/api/shares/{made['id']}").status_code == 403
    set_role(place, project, user, "admin")
    assert ada.request("DELETE", f"/api/shares/{made['id']}").status_code == 200


def test_viewers_and_other_sites_share_nothing(place, ada, eve, anybody, contract):
    project, user = ada.me()["project"]["id"], eve.me()["user"]["id"]
    set_role(place, project, user, "viewer")
    own = eve.me()["project"]["id"]
    assert eve.post(f"/api/projects/{project}/switch").status_code == 200
    assert eve.post("/api/shares", PROGRAM).status_code == 403
    assert eve.get(f"/api/projects/{project}/shares").status_code == 200
    assert eve.post(f"/api/projects/{own}/switch").status_code == 200
    assert anybody.post("/api/shares", PROGRAM).status_code == 401
    other = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert ada.post("/api/shares", PROGRAM, headers=other).status_code == 403
    assert ada.request("POST", "/api/shares", data=json.dumps(PROGRAM), headers={"Content-Type": "text/plain"}).status_code == 415
    key = place.create_key("a project with a key")["key"]
    assert anybody.post("/api/shares", PROGRAM, headers={"Authorization": f"Bearer {key}"}).status_code == 403


HTML = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


def test_what_is_stored_is_never_a_page(ada, anybody):
    made = share(ada, code=f"# {HTML}", title=HTML)
    for accept in ("text/html", "*/*", "application/json"):
        answer = anybody.get(f"/api/shares/{made['id']}", headers={"Accept": accept})
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.json()["request"]["code"] == f"# {HTML}"
    page = requests.get(ada.server.url(f"/s/{made['id']}"), headers={"Accept": "text/html"}, timeout=PATIENCE_S)
    assert HTML not in page.text


@pytest.mark.parametrize("fields", [
    {"title": "x" * 101}, {"title": 5}, {"title": "a\0b"}, {"expiresInDays": 0}, {"expiresInDays": 366}, {"expiresInDays": "7"},
    {"forkedFrom": "../x"}, {"forkedFrom": 1}, {"code": ""}, {"policy": {"timeoutMs": 1}}, {"policy": {"unknown": 1}},
    {"files": [{"path": "../x", "content": ""}]}, {"repo": "owner/name"}, {"lang": "perl"}, {"env": {"A": 1}},
])
def test_what_cannot_be_run_cannot_be_shared(place, ada, fields):
    before = place.query("SELECT COUNT(*) FROM shares")
    answer = ada.post("/api/shares", {**PROGRAM, **fields})
    assert answer.status_code in (400, 429), answer.text
    assert place.query("SELECT COUNT(*) FROM shares") == before


def test_size_is_bounded(place, contract, ada):
    invited(ada, "big@example.com", "developer")
    person = Browser(place, contract)
    person.sign_in("big@example.com")
    answer = person.post("/api/shares", {**PROGRAM, "stdin": "x" * (1 << 20)})
    assert answer.status_code == 413 and answer.json()["code"] == "share_too_large"
    deep = '{"lang":"python","code":"1","x":' + "[" * 5000 + "]" * 5000 + "}"
    answer = person.request("POST", "/api/shares", data=deep, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_the_rate_of_a_person_is_bounded_in_parallel_too(place, contract, ada):
    invited(ada, "fast@example.com", "developer")
    person = Browser(place, contract)
    person.sign_in("fast@example.com")
    project = person.post("/api/projects", {"name": "fast"}).json()["project"]["id"]
    assert person.post(f"/api/projects/{project}/switch").status_code == 200
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: person.post("/api/shares", PROGRAM).status_code, range(40)))
    assert set(statuses) == {200, 429} and statuses.count(200) == 20
    assert len(person.get(f"/api/projects/{project}/shares").json()["shares"]) == 20


def test_expired_and_suspended_shares_are_gone(place, contract, ada, anybody):
    invited(ada, "late@example.com", "developer")
    person = Browser(place, contract)
    person.sign_in("late@example.com")
    project = person.post("/api/projects", {"name": "late"}).json()["project"]["id"]
    assert person.post(f"/api/projects/{project}/switch").status_code == 200
    made, kept = share(person, expiresInDays=1), share(person)
    with contextlib.closing(sqlite3.connect(place.folder / "docle.db", timeout=PATIENCE_S)) as database:
        database.execute("UPDATE shares SET expires_at = 1 WHERE id = ?", (made["id"],))
        database.commit()
    assert anybody.get(f"/api/shares/{made['id']}").status_code == 404
    assert [one["id"] for one in person.get(f"/api/projects/{project}/shares").json()["shares"]] == [kept["id"]]
    place.docle("projects", "suspend", project)
    assert anybody.get(f"/api/shares/{kept['id']}").status_code == 404


def test_a_project_holds_no_more_than_five_hundred(place, contract, ada):
    invited(ada, "many@example.com", "developer")
    person = Browser(place, contract)
    person.sign_in("many@example.com")
    project = person.post("/api/projects", {"name": "many"}).json()["project"]["id"]
    assert person.post(f"/api/projects/{project}/switch").status_code == 200
    with contextlib.closing(sqlite3.connect(place.folder / "docle.db", timeout=PATIENCE_S)) as database:
        for _ in range(500):
            database.execute("INSERT INTO shares VALUES (?, ?, NULL, '', 'python', '{}', NULL, 1, NULL)",
                             (str(uuid.uuid4()), project))
        database.commit()
    assert person.post("/api/shares", PROGRAM).status_code == 409


def test_odd_ids_are_not_found(anybody):
    for odd in ("x", "..", "0" * 36, str(uuid.uuid4()).upper(), "%00", str(uuid.uuid4()) + "0"):
        assert anybody.get(f"/api/shares/{odd}").status_code in (400, 404), odd
    assert anybody.get(f"/api/shares/{uuid.uuid4()}").status_code == 404
