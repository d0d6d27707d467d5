"""kill -9 at random moments under load: no acknowledged result is lost, each is metered once."""

import concurrent.futures
import os
import random
import signal
import threading
import time
import uuid

import pytest
import requests

from harness import PATIENCE_S, descendants, launchers, wait_for

# A quota that is never reached: every admission reserves, every end settles or gives back.
METERED = ("--plans-free-runs", "1000000000", "--price-cpu-ms", "0.000003")
ROUNDS = {"short": 6, "long": 60}


class Load:
    """Clients that post runs all the time and remember what was acknowledged."""

    def __init__(self, server, key, clients=8):
        self.server, self.key = server, key
        self.acknowledged, self.lock = [], threading.Lock()
        self.unexpected = []
        self.ending = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.jobs = [self.pool.submit(self._client, number) for number in range(clients)]

    def _client(self, number):
        draw = random.Random(number)
        while not self.ending.is_set():
            mark = uuid.uuid4().hex
            lang = draw.choice(["python", "python", "node"])
            code = {
                "python": f"import time; time.sleep({draw.random() * 0.05}); print('{mark}')",
                "node": f"setTimeout(() => console.log('{mark}'), {draw.random() * 50})",
            }[lang]
            headers = {"Authorization": self.key}
            if draw.random() < 0.5:
                headers["Idempotency-Key"] = mark
            self._ask(code, lang, headers, mark)

    def _ask(self, code, lang, headers, mark):
        """With an idempotency key until it is answered, as a careful client does."""
        body = {"code": code, "lang": lang, "policy": {"timeoutMs": 60000}}
        while not self.ending.is_set():
            try:
                answer = requests.post(
                    self.server.url("/api/run"), json=body, headers=headers, timeout=PATIENCE_S
                )
                data = answer.json()
            except (requests.RequestException, ValueError):
                if "Idempotency-Key" not in headers:
                    return
                self.ending.wait(0.05)
                continue
            if answer.status_code == 200:
                good = data["outcome"] == "ok" and data["stdout"] == mark + "\n"
                with self.lock:
                    (self.acknowledged if good else self.unexpected).append(
                        (data, headers.get("Idempotency-Key"))
                    )
                return
            if answer.status_code not in (500, 503):
                self.unexpected.append((answer.status_code, data))
                return
            if answer.status_code == 500 and data.get("outcome") != "sandbox_error":
                self.unexpected.append((answer.status_code, data))
                return
            self.ending.wait(0.05)
            if "Idempotency-Key" not in headers:
                return

    def count(self):
        with self.lock:
            return len(self.acknowledged)

    def end(self):
        self.ending.set()
        self.pool.shutdown(wait=True)
        for job in self.jobs:
            job.result()


def zygotes(server):
    """Interpreters that are not runs: the eldest of each name in the family."""
    eldest = {}
    for pid in sorted(descendants(server.pid)):
        try:
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            continue
        if program.startswith(("python", "node")):
            eldest.setdefault(program, pid)
    return list(eldest.values())


def kill(pids):
    done = 0
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            done += 1
        except ProcessLookupError:
            pass
    return done


def kill_one(server, kind, draw):
    if kind == "server":
        server.stop(signal.SIGKILL)
        time.sleep(draw.random() * 0.05)
        server.start(ready=False)
        return 1
    victims = launchers(descendants(server.pid)) if kind == "launcher" else zygotes(server)
    return kill([draw.choice(victims)]) if victims else 0


def check(server, load):
    """Everything that was acknowledged is there, as it was told, and metered exactly once."""
    assert not load.unexpected, load.unexpected[:3]
    twice = server.query("SELECT run_id FROM ledger GROUP BY run_id HAVING COUNT(*) > 1")
    assert not twice
    by_key = {}
    for result, key in load.acknowledged:
        answer = requests.get(
            server.url(f"/api/run/{result['id']}"), headers={"Authorization": load.key}, timeout=PATIENCE_S
        )
        assert answer.status_code == 200 and answer.json() == result
        assert server.query("SELECT outcome FROM ledger WHERE run_id = ?", result["id"]) == [("ok",)]
        if key:
            assert by_key.setdefault(key, result["id"]) == result["id"]
    assert server.query("SELECT COUNT(*) FROM ledger l LEFT JOIN runs r ON r.id = l.run_id WHERE r.id IS NULL") == [(0,)]
    check_counters(server)
    assert server.query("PRAGMA integrity_check") == [("ok",)]


def check_counters(server):
    """Quota and sums agree with the ledger, whatever was killed when."""
    billed = "FROM ledger WHERE outcome NOT IN ('sandbox_error', 'install_failed')"
    [(reserved,)] = server.query("SELECT COALESCE(SUM(used), 0) FROM quota")
    [(under_way,)] = server.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'")
    [(counted,)] = server.query(f"SELECT COUNT(*) {billed}")
    assert reserved == counted + under_way, (reserved, counted, under_way)
    days = server.query("SELECT SUM(runs), SUM(amount_micros), SUM(cpu_ms) FROM usage_days")
    assert days == server.query("SELECT COUNT(*), SUM(COALESCE(amount_micros, 0)), SUM((cpu_ns + 999999) / 1000000) FROM ledger")
    keys = server.query("SELECT SUM(runs), SUM(amount_micros) FROM usage_keys")
    assert keys == server.query(f"SELECT COUNT(*), SUM(amount_micros) {billed}")


def storm(server, key, kills, seed):
    draw = random.Random(seed)
    load = Load(server, key)
    done = {"server": 0, "launcher": 0, "zygote": 0}
    try:
        while sum(done.values()) < kills:
            before = load.count()
            # Progress between two kills, so that each one hits a working server.
            wait_for(lambda: load.count() > before + draw.randrange(1, 20), "runs are answered")
            time.sleep(draw.random() * 0.05)
            kind = draw.choice(sorted(done))
            done[kind] += kill_one(server, kind, draw)
        server.wait_ready()
        before = load.count()
        wait_for(lambda: load.count() > before + 10, "runs are answered at the end")
    finally:
        load.end()
    return load, done


def test_kills_under_load(own_server):
    server = own_server(*METERED)
    load, done = storm(server, server.create_key()["key"], ROUNDS["short"], 1)
    check(server, load)
    assert server.stop() == 0
    open_runs = server.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'")
    assert open_runs == [(0,)]


@pytest.mark.slow
def test_many_kills_under_load(own_server):
    """`make kill`"""
    server = own_server(*METERED)
    load, done = storm(server, server.create_key()["key"], ROUNDS["long"], time.time_ns())
    check(server, load)
    assert sum(done.values()) >= 50 and min(done.values()) >= 5, done
    print(f"{len(load.acknowledged)} acknowledged results, none lost; kills: {done}")
    assert server.stop() == 0


def test_drain_under_load(own_server):
    """SIGTERM in the middle of load, several times."""
    server = own_server(*METERED)
    key = server.create_key()["key"]
    load = Load(server, key)
    try:
        for _ in range(3):
            before = load.count()
            wait_for(lambda: load.count() > before + 20, "runs are answered")
            server.send_signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_S) == 0
            assert server.query("SELECT COUNT(*) FROM runs WHERE status <> 'done'") == [(0,)]
            server.start()
    finally:
        load.end()
    check(server, load)
