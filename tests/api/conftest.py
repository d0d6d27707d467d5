"""One real server for the whole session; every answer is held against the contract."""

import gc
import json
import uuid

import pytest
import requests

from contract import Contract
from harness import PATIENCE_S, Counts, Server, wait_for


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: runs for minutes; `make kill` and `make soak` ask for it")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def contract():
    return Contract()


class Client:
    """Requests whose answers must be what the contract says."""

    def __init__(self, server, contract, key=None):
        self.server, self.contract, self.key = server, contract, key

    def request(self, method, path, headers=None, auth=True, **more):
        headers = dict(headers or {})
        if auth and self.key:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        # No session: a connection each, so that tests do not share one.
        answer = requests.request(
            method, self.server.url(path), headers=headers, timeout=PATIENCE_S * 2,
            allow_redirects=False, **more,
        )
        self.contract.check(
            method, answer.request.path_url, answer.status_code, answer.headers,
            answer.content.decode("utf-8"),
        )
        return answer

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, headers=None, **more):
        if body is not None:
            more["data"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        return self.request("POST", path, headers=headers, **more)

    def run(self, code=None, lang="python", status=200, headers=None, **fields):
        """One run; its result."""
        body = {"lang": lang, **({} if code is None else {"code": code}), **fields}
        answer = self.post("/api/run", body, headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def metric(self, name):
        return self.server.metrics().get(name, 0.0)


@pytest.fixture(scope="session")
def server():
    made = Server()
    made.start()
    yield made
    try:
        assert made.stop() == 0, made.log_text()[-4000:]
    finally:
        made.clean()


@pytest.fixture(scope="session")
def key(server):
    return server.create_key("tests")


@pytest.fixture(scope="session")
def api(server, contract, key):
    client = Client(server, contract, key["key"])
    for lang, code in (("python", "print(1)"), ("node", "console.log(1)")):
        assert client.run(code, lang)["stdout"] == "1\n"
    return client


@pytest.fixture(scope="session")
def other_api(server, contract):
    """A key of another project."""
    return Client(server, contract, server.create_key("other tests")["key"])


@pytest.fixture(scope="session")
def make_client(contract):
    """For servers and keys of a test's own."""

    def make(server, key=None):
        return Client(server, contract, key)

    return make


@pytest.fixture
def own_server():
    """Starts servers with settings of a test's own; they are gone when it ends."""
    made = []

    def start(*flags, env=None, ready=True):
        made.append(Server(*flags, env=env))
        return made[-1].start(ready)

    yield start
    for server in made:
        server.clean()


@pytest.fixture(scope="session")
def baseline(server, api):
    """Counts of a server that has served and is at rest."""
    for _ in range(8):
        api.run("import subprocess; subprocess.run(['true'])")
        api.run("setTimeout(() => {}, 10)", "node")
    return settle(server)


def settle(server):
    """Waits until two looks in a row agree: spares are made in the background."""

    def steady():
        gc.collect()  # closes connections of answers that tests have dropped
        first = Counts(server)
        wait_for(lambda: True, "a moment", pause=0)
        second = Counts(server)
        return second if first.values == second.values else None

    return wait_for(steady, "the server is at rest", pause=0.2)


@pytest.fixture(scope="module", autouse=True)
def leak_check(server, baseline):
    """After each module the server holds no more of the machine than before."""
    before = server.pid
    yield
    assert server.pid == before and server.process.poll() is None

    def back():
        gc.collect()
        return not Counts(server).excess(baseline)

    try:
        wait_for(back, "counts are back", pause=0.2)
    except AssertionError:
        raise AssertionError(f"left behind: {Counts(server).excess(baseline)}") from None


@pytest.fixture
def fresh_key():
    """An Idempotency-Key that nobody has used."""
    return str(uuid.uuid4())


@pytest.fixture
def clock(tmp_path):
    from clock import Clock

    return Clock(tmp_path)


@pytest.fixture
def shop(own_server):
    """Opens servers with a Stripe of their own, see billing.py."""
    from billing import Shop

    made = []

    def open_shop(*flags, **more):
        made.append(Shop(own_server, *flags, **more))
        return made[-1]

    yield open_shop
    for each in made:
        each.stripe.close()


@pytest.fixture
def browser(people, contract):
    """Somebody who is not signed in yet, on the module's server `people`."""
    from accounts import Browser

    return Browser(people, contract)
