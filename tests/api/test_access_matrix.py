"""Every operation of the contract × everybody who may ask for it.

Who may is written down here once more, by hand: a new route fails here until somebody has said whose it is. What is
refused changes nothing, no answer shows what is another project's, and every answer has the fields that keep it out of
caches, frames and referrers.
"""

import itertools
import json

import pytest

from accounts import Browser, set_role
from harness import Server, wait_for

ROLES = ("viewer", "developer", "admin", "owner")
# What belongs to a project: the least role, and the scope that a key needs; None: not for keys.
PROJECT = {
    "POST /api/run": ("developer", "run"),
    "GET /api/run/{id}": ("viewer", "read"),
    "POST /api/run/{id}/cancel": ("developer", "run"),
    "GET /api/runs": ("viewer", "read"),
    "GET /api/usage": ("viewer", "read"),
    "GET /api/limits": ("viewer", "read"),
    "GET /api/usage/trends": ("viewer", "read"),
    "GET /api/billing": ("viewer", "read"),
    "POST /api/billing/checkout": ("admin", None),
    "POST /api/billing/portal": ("admin", None),
    "GET /api/invoices": ("admin", None),
    "GET /api/keys": ("viewer", None),
    "POST /api/keys": ("developer", None),
    "PATCH /api/keys/{id}": ("developer", None),
    "DELETE /api/keys/{id}": ("developer", None),
    "POST /api/keys/{id}/roll": ("developer", None),
    "GET /api/projects/{id}": ("viewer", None),
    "PATCH /api/projects/{id}": ("admin", None),
    "DELETE /api/projects/{id}": ("owner", None),
    "POST /api/projects/{id}/switch": ("viewer", None),
    "POST /api/projects/{id}/leave": ("viewer", None),
    "GET /api/projects/{id}/usage": ("viewer", None),
    "GET /api/projects/{id}/keys": ("viewer", None),
    "POST /api/projects/{id}/keys": ("developer", None),
    "PATCH /api/projects/{id}/keys/{sub}": ("developer", None),
    "DELETE /api/projects/{id}/keys/{sub}": ("developer", None),
    "GET /api/projects/{id}/members": ("viewer", None),
    "PATCH /api/projects/{id}/members/{sub}": ("admin", None),
    "DELETE /api/projects/{id}/members/{sub}": ("admin", None),
    "GET /api/projects/{id}/invitations": ("admin", None),
    "POST /api/projects/{id}/invitations": ("admin", None),
    "DELETE /api/projects/{id}/invitations/{sub}": ("admin", None),
    "GET /api/projects/{id}/audit": ("admin", None),
    "GET /api/projects/{id}/webhook": ("admin", None),
    "PUT /api/projects/{id}/webhook": ("admin", None),
    "DELETE /api/projects/{id}/webhook": ("admin", None),
    "POST /api/projects/{id}/webhook/roll": ("admin", None),
    "POST /api/projects/{id}/webhook/test": ("admin", None),
    "POST /api/shares": ("developer", None),
    "GET /api/projects/{id}/shares": ("viewer", None),
}
# What belongs to a person who has signed in.
PERSON = {
    "GET /auth/me", "DELETE /auth/me", "GET /auth/export", "POST /auth/logout", "GET /api/logout", "GET /auth/sessions",
    "DELETE /auth/sessions", "DELETE /auth/sessions/{id}", "GET /api/dashboard", "GET /api/projects", "POST /api/projects",
    "GET /api/invitations", "DELETE /api/invitations/{id}", "POST /api/invitations/{id}/accept", "GET /auth/audit",
    "DELETE /api/shares/{id}",
}
# What everybody may ask, and is answered the same.
OPEN = {
    "POST /auth/magic-link", "POST /auth/request", "GET /auth/verify", "POST /auth/verify", "POST /api/stripe/webhook",
    "GET /", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json",
    "GET /api/shares/{id}", "GET /api/server",
}
BODIES = {
    "POST /api/run": {"code": "print(1)", "lang": "python"},
    "POST /api/shares": {"code": "print(1)", "lang": "python"},
    "POST /api/keys": {"name": "made"},
    "PATCH /api/keys/{id}": {"name": "changed"},
    "POST /api/keys/{id}/roll": {"overlapHours": 1},
    "POST /api/projects": {"name": "made"},
    "PATCH /api/projects/{id}": {"name": "changed"},
    "POST /api/projects/{id}/keys": {"name": "made"},
    "PATCH /api/projects/{id}/keys/{sub}": {"name": "changed"},
    "PATCH /api/projects/{id}/members/{sub}": {"role": "viewer"},
    "POST /api/projects/{id}/invitations": {"email": "asked@example.com", "role": "viewer"},
    "PUT /api/projects/{id}/webhook": {"url": "https://10.0.0.1/changed"},
    "POST /auth/magic-link": {"email": "asked@example.com"},
    "POST /auth/request": {"email": "asked@example.com"},
    "POST /auth/verify": {"token": "dl_" + "0" * 64},
    "DELETE /auth/me": {"email": "wrong@example.com"},
    "POST /api/stripe/webhook": {},
}
# May be asked and cannot be had: the run is over, nothing is billed here, an only owner stays.
CONFLICTS = {"POST /api/run/{id}/cancel", "POST /api/billing/checkout", "POST /api/billing/portal",
             "POST /api/projects/{id}/leave"}
REFUSED_KEYS = {"none": 401, "unknown": 401, "expired": 401, "revoked": 401, "suspended": 403}
KEYS = (*REFUSED_KEYS, "live", "test", "read", "run", "domain", "foreign")
TABLES = {
    "projects": "id, name, plan, suspended_at", "members": "project_id, user_id, role",
    "invitations": "id, project_id, email, role", "runs": "id, project_id, status, outcome",
    "api_keys": "id, project_id, name, revoked_at, rolled_to, expires_at", "users": "id, email",
    "webhooks": "project_id, url, secret",
    "shares": "id, project_id", "audit": "id", "ledger": "run_id", "idempotency": "run_id",
}


class Thing:
    """A project with one of everything. Its mark is in every text of it."""

    count = itertools.count()

    def __init__(self, owner, mark, member, with_run=False, with_share=True):
        self.mark = f"{mark}{next(self.count)}mark"
        self.project = owner.post("/api/projects", {"name": self.mark}).json()["project"]["id"]
        path = f"/api/projects/{self.project}"
        assert owner.post(f"{path}/switch").status_code == 200
        self.key = owner.post(f"{path}/keys", {"name": self.mark}).json()["id"]
        assert owner.post(f"{path}/invitations", {"email": f"{self.mark}@example.com", "role": "viewer"}).status_code == 200
        (invited,) = owner.get(f"{path}/invitations").json()["invitations"]
        self.invitation = invited["id"]
        # Not public: nothing is ever sent there.
        assert owner.request("PUT", f"{path}/webhook", json={"url": f"https://10.0.0.1/{self.mark}"}).status_code == 200
        self.member = member
        set_role(owner.server, self.project, member, "developer")
        self.session = owner.me()["session"]["id"]
        self.share = "6f1b3c1e-6d0c-4f6e-9c55-0c7f7e3b1a55"
        if with_share:  # a person makes few in a minute
            code = f"print('{self.mark}')"
            self.share = owner.post("/api/shares", {"code": code, "lang": "python"}).json()["id"]
        self.run = "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11"
        if with_run:
            code = f"print('{self.mark}')"
            self.run = owner.post("/api/run", {"code": code, "lang": "python"}).json()["id"]

    def fill(self, path, below=None):
        """The path with the ids of this project, and with what is below it from another one."""
        below = below or self
        if path.startswith("/api/projects/"):
            subs = {"keys": below.key, "members": below.member, "invitations": below.invitation}
            path = path.replace("{id}", self.project)
            return path.replace("{sub}", subs.get(path.split("/")[4], "")) if "{sub}" in path else path
        kinds = {"run": self.run, "keys": self.key, "sessions": self.session, "invitations": self.invitation,
                 "shares": self.share}
        return path.replace("{id}", kinds[path.split("/")[2]]) if "{id}" in path else path


def ask(client, operation, path, **more):
    method = operation.split()[0]
    body = BODIES.get(operation)
    answer = client.request(method, path, **({} if body is None else {"json": body}), **more)
    if method != "GET" or path != "/openapi.json":
        assert answer.headers["Cache-Control"] == "no-store", operation
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["Referrer-Policy"] == "no-referrer"
    return answer


def state(server):
    return {table: sorted(server.query(f"SELECT {columns} FROM {table}"), key=str) for table, columns in TABLES.items()}


class People:
    """A server, its people by role, two projects that know nothing of each other, and keys of every kind."""

    def __init__(self, server, contract):
        self.server, self.contract = server, contract
        names = ("owner", "stranger", "victim", *ROLES[:3], "colleague")
        self.by_role = {name: Browser(server, contract) for name in names}
        self.ids = {name: one.sign_in(f"{name}@matrix.example")["user"]["id"] for name, one in self.by_role.items()}
        self.mine = Thing(self.by_role["owner"], "mine", self.ids["colleague"], with_run=True)
        self.theirs = Thing(self.by_role["victim"], "theirs", self.ids["colleague"], with_run=True)
        for role in ROLES[:3]:
            self.join(self.mine, role)
        self.keys = self.make_keys()

    def join(self, thing, role):
        if role != "owner":
            set_role(self.server, thing.project, self.ids[role], role)
        assert self.by_role[role].post(f"/api/projects/{thing.project}/switch").status_code == 200

    def make_keys(self):
        owner = self.by_role["owner"]

        def make(browser, project, **rules):
            answer = browser.post(f"/api/projects/{project}/keys", {"rateLimitPerMinute": None, **rules})
            assert answer.status_code == 200, answer.text
            return answer.json()

        mine = self.mine.project
        keys = {"live": make(owner, mine), "test": make(owner, mine, test=True), "read": make(owner, mine, scopes=["read"]),
                "run": make(owner, mine, scopes=["run"]), "domain": make(owner, mine, allowedDomains=["site.example"]),
                "revoked": make(owner, mine), "foreign": make(self.by_role["victim"], self.theirs.project)}
        assert owner.request("DELETE", f"/api/keys/{keys['revoked']['id']}").status_code == 200
        keys["expired"] = json.loads(self.server.docle("keys", "create", "--project", mine, "--json", "--expires", "1s").stdout)
        closed = owner.post("/api/projects", {"name": "closed"}).json()["project"]["id"]
        keys["suspended"] = make(owner, closed)
        self.server.docle("projects", "suspend", closed)
        keys = {kind: made["key"] for kind, made in keys.items()}
        keys["unknown"] = "sk_live_" + "0" * 48
        self.closed = closed
        wait_for(lambda: self.with_key(keys["expired"]).get("/api/runs").status_code == 401, "a key expires")
        return keys

    def with_key(self, key):
        client = Browser(self.server, self.contract, browser=False)
        client.headers = {"Authorization": f"Bearer {key}"} if key else {}
        return client


@pytest.fixture(scope="module")
def world(contract):
    server = Server("--auth-signup", "open", "--auth-links-per-client", "0", "--auth-links-per-address", "0")
    server.start()
    server.create_key("first")
    try:
        yield People(server, contract)
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()


def refused(answer, status, *codes):
    assert answer.status_code == status, (answer.request.method, answer.request.url, answer.text)
    assert not codes or answer.json()["code"] in codes, answer.text


def test_every_operation_is_somebodys(contract):
    documented = {f"{method.upper()} {path}" for path, item in contract.document["paths"].items()
                  for method in item if method != "parameters"}
    assert not OPEN & PERSON and not (OPEN | PERSON) & PROJECT.keys()
    assert OPEN | PERSON | PROJECT.keys() == documented, "say in this file whose a new operation is"
    for path, item in contract.document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                name = f"{method.upper()} {path}"
                schemes = {scheme for one in operation.get("security", contract.document["security"]) for scheme in one}
                keys = name in PROJECT and PROJECT[name][1] is not None
                assert ("apiKey" in schemes) == keys and ("session" in schemes) == (name not in OPEN), name


# --- keys ---


@pytest.mark.parametrize("kind", KEYS)
def test_keys_on_every_operation(world, kind):
    client = world.with_key(world.keys.get(kind))
    for operation in sorted(PROJECT.keys() | PERSON):
        before = state(world.server)
        answer = ask(client, operation, world.mine.fill(operation.split()[1]))
        scope = PROJECT.get(operation, (None, None))[1]
        held = {"read": ("read",), "run": ("run",)}.get(kind, ("read", "run"))
        if kind in REFUSED_KEYS:
            refused(answer, REFUSED_KEYS[kind])
        elif kind == "domain":
            refused(answer, 403, "origin_not_allowed")
        elif scope is None:
            refused(answer, 403, "session_required", "scope_missing")
        elif scope not in held:
            refused(answer, 403, "scope_missing")
        elif kind == "foreign" and "{id}" in operation:
            refused(answer, 404)
        else:
            expected = {200, 409} if operation in CONFLICTS else {200}
            assert answer.status_code in expected, (operation, answer.text)
        answered = answer.status_code == 200
        assert state(world.server) == before or (answered and operation == "POST /api/run"), operation
        assert world.mine.mark not in answer.text or (answered and kind != "foreign"), operation


def test_what_is_open_is_the_same_for_all(world):
    clients = [world.with_key(world.keys.get(kind)) for kind in KEYS]
    clients += [world.by_role[role] for role in ("owner", "stranger")]
    for operation in sorted(OPEN):
        path = operation.split()[1]
        statuses = {ask(client, operation, path).status_code for client in clients}
        assert len(statuses) == 1 and not statuses & {401, 403} - ({403} if "verify" in path else set()), operation
    assert ask(clients[0], "GET /auth/verify", "/auth/verify?token=dl_" + "0" * 64).status_code == 403


# --- people ---


def object_operations():
    return [name for name in sorted(PROJECT) if "{" in name]


@pytest.mark.parametrize("role", ROLES)
def test_roles_on_every_operation(world, role):
    """Refused: nothing changes. Allowed: it happens, each time to a project made for it."""
    person, owner = world.by_role[role], world.by_role["owner"]
    for operation, (least, _) in sorted(PROJECT.items()):
        thing = world.mine
        may = ROLES.index(role) >= ROLES.index(least)
        if may and not operation.startswith("GET "):
            thing = Thing(owner, "spent", world.ids["colleague"], with_run="cancel" in operation, with_share=False)
        world.join(thing, role)
        before = state(world.server)
        answer = ask(person, operation, thing.fill(operation.split()[1]))
        if not may:
            refused(answer, 403, "forbidden")
            assert state(world.server) == before and world.mine.mark not in answer.text, operation
        elif operation in CONFLICTS and (role == "owner" or "leave" not in operation):
            refused(answer, 409)
        else:
            assert answer.status_code == 200, (operation, answer.text)
            if not operation.startswith("GET ") and "switch" not in operation:
                assert state(world.server) != before, operation
        if thing is not world.mine:
            owner.request("DELETE", f"/api/projects/{thing.project}")


@pytest.mark.parametrize("role", ["stranger", *ROLES])
def test_nothing_of_another_project(world, role):
    """Every id of another project in every place where an id goes, alone and below one's own project."""
    person = world.by_role[role]
    if role in ROLES:
        world.join(world.mine, role)
    before = state(world.server)
    for operation in object_operations():
        path = operation.split()[1]
        least = PROJECT[operation][0]
        own = role in ROLES and ROLES.index(role) >= ROLES.index(least)
        asked = [(world.theirs.fill(path), 404 if path.startswith("/api/projects/") or own or role == "stranger" else 403)]
        if "{sub}" in path and role in ROLES and "members" not in path:
            asked.append((world.mine.fill(path, below=world.theirs), 404 if own else 403))
            asked.append((world.theirs.fill(path, below=world.mine), 404))
        if "/members/" in path and own:
            outsider = Thing.fill(world.mine, path).replace(world.ids["colleague"], world.ids["victim"])
            asked.append((outsider, 404))
        for target, status in asked:
            answer = ask(person, operation, target)
            refused(answer, status)
            assert world.theirs.mark not in answer.text, target
    for operation in sorted(name for name in PERSON if "{id}" in name):
        refused(ask(person, operation, world.theirs.fill(operation.split()[1])), 404)
    assert state(world.server) == before
    for operation in sorted(name for name in PROJECT.keys() | PERSON if "{" not in name and name.startswith("GET ")):
        if operation != "GET /api/logout":
            assert world.theirs.mark not in ask(person, operation, operation.split()[1]).text, operation
    assert world.by_role["victim"].me()["project"]["id"] == world.theirs.project


def test_nobody_signed_in(world):
    for cookie in (None, "docle_session=", "docle_session=ds_" + "0" * 64):
        client = Browser(world.server, world.contract)
        client.headers["Cookie"] = cookie
        before = state(world.server)
        for operation in sorted(PROJECT.keys() | PERSON):
            refused(ask(client, operation, world.mine.fill(operation.split()[1])), 401)
        assert state(world.server) == before


def test_a_suspended_project(world):
    """Nothing runs in it, and nothing of its runs and usage is shown; people still look after it."""
    owner = world.by_role["owner"]
    assert owner.post(f"/api/projects/{world.closed}/switch").status_code == 200
    for operation, (_, scope) in sorted(PROJECT.items()):
        if scope and "{id}" not in operation:
            refused(ask(owner, operation, operation.split()[1]), 403, "project_suspended")
    assert owner.get(f"/api/projects/{world.closed}").status_code == 200
    world.join(world.mine, "owner")


def test_credentials_that_fail_are_not_mended_by_others(world):
    """A header counts, whatever cookie comes along; a cookie never helps a bad key."""
    owner = world.by_role["owner"]
    world.join(world.mine, "owner")
    for kind, status in REFUSED_KEYS.items():
        if kind != "none":
            headers = {"Authorization": f"Bearer {world.keys[kind]}"}
            for operation in ("GET /api/runs", "POST /api/run", "GET /auth/me", "GET /api/keys"):
                refused(ask(owner, operation, operation.split()[1], headers=headers), status)
    answer = owner.get("/api/runs", headers={"Authorization": f"Bearer {world.keys['foreign']}"})
    ids = [run["id"] for run in answer.json()["runs"]]
    assert world.theirs.run in ids and world.mine.run not in ids
    session = world.by_role["victim"].cookies["docle_session"]
    answer = owner.get("/auth/me", headers={"Authorization": f"Bearer {session}"})
    assert answer.json()["user"]["email"] == "victim@matrix.example"


def test_no_answer_is_for_another_site_to_read(world):
    """Neither by CORS nor in a frame nor from a cache, whoever asks and whatever comes of it."""
    owner = world.by_role["owner"]
    for client in (world.with_key(None), world.with_key(world.keys["live"]), owner):
        for operation in sorted(PROJECT.keys() | PERSON | OPEN):
            if not operation.startswith("GET ") or operation == "GET /api/logout":
                continue
            answer = ask(client, operation, world.mine.fill(operation.split()[1]),
                         headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")], operation
