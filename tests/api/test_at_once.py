"""What the command line changes holds for every request that is sent after it has returned: docs/adr/0015."""

import threading
import time

import requests

from accounts import LINK, Browser
from harness import PATIENCE_S

OPEN = ("--auth-signup", "open", "--auth-links-per-client", "0", "--auth-links-per-address", "0")


class Asking:
    """A client that asks again and again, so that the server has everything in memory."""

    def __init__(self, server, key):
        self.url, self.headers = server.url("/api/runs"), {"Authorization": f"Bearer {key}"}
        self.over, self.statuses = False, []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with requests.Session() as session:
            while not self.over:
                time.sleep(0.02)  # within the rate of the key
                self.statuses.append(session.get(self.url, headers=self.headers, timeout=PATIENCE_S).status_code)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


def test_keys(own_server, make_client):
    server = own_server()
    for _ in range(10):
        key = server.create_key()
        client = make_client(server, key["key"])
        with Asking(server, key["key"]) as asking:
            assert client.get("/api/runs").status_code == 200
            server.revoke_key(key["id"])
            assert client.get("/api/runs").status_code == 401
        assert asking.statuses == sorted(asking.statuses)  # 200 …, then 401 … and never back


def test_people_projects_limits_plans(own_server, contract, make_client):
    server = own_server(*OPEN)
    person = Browser(server, contract)
    assert person.confirm(LINK.search(server.docle("login-link", "a@example.com").stdout)[1]).status_code == 303
    project = person.me()["project"]["id"]
    key = person.post("/api/keys", {"name": "k", "rateLimitPerMinute": 10000}).json()["key"]
    client = make_client(server, key)
    client.run("print(1)")
    with Asking(server, key):
        for i in range(5):
            server.docle("projects", "suspend", project)
            assert client.get("/api/runs").status_code == 403
            server.docle("projects", "suspend", project, "--lift")
            assert client.get("/api/runs").status_code == 200
            server.docle("projects", "limits", project, "--timeout-ms", str(1000 + i))
            answer = client.post("/api/run", {"code": "print(1)", "lang": "python", "policy": {"timeoutMs": 1001 + i}})
            assert answer.status_code == 400 and f"{1000 + i}" in answer.text
            plan = ("pro", "free")[i % 2]
            server.docle("projects", "plan", project, plan)
            assert person.me()["project"]["plan"] == plan
            server.docle("users", "suspend", "a@example.com")
            assert person.get("/auth/me").status_code == 401
            server.docle("users", "suspend", "a@example.com", "--lift")
            link = server.docle("login-link", "a@example.com").stdout
            assert person.confirm(LINK.search(link)[1]).status_code == 303
