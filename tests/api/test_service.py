"""What the server says of itself: A-34 and the service routes."""

import json
import re
import socket

import pytest
import requests
import yaml

from contract import SOURCE
from harness import PATIENCE_S


def test_root(api):
    answer = api.get("/", auth=False)
    assert answer.status_code == 200 and answer.json()["name"] == "docle"
    assert set(answer.json()["langs"]) == {"python", "node"}
    for path in answer.json()["endpoints"].values():
        assert api.get(path).status_code in (200, 405), path


def test_server_says_what_its_console_needs(api):
    assert api.get("/api/server", auth=False).json() == {
        "version": "0.1.0", "langs": ["python", "node"], "billing": "off", "anonymousRuns": False}


def test_health_and_readiness(api):
    assert api.get("/healthz", auth=False).json() == {"status": "ok"}
    body = api.get("/readyz", auth=False).json()
    assert body["status"] == "ready" and body["slots"] >= 1
    assert {runtime["lang"] for runtime in body["runtimes"]} == {"python", "node"}


def test_contract_is_served(api):
    assert api.get("/openapi.json", auth=False).json() == yaml.safe_load(SOURCE.read_text())


def test_security_headers(api):
    for path in ("/", "/healthz", "/api/runs", "/nothing"):
        headers = api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers and "X-Powered-By" not in headers


@pytest.mark.parametrize("origin", ["null", "https://evil.test", "http://localhost:8787", "https://127.0.0.1"])
def test_no_cross_origin_access(api, origin):
    """A-18: keys have no allowed domains, so no page of any origin gets a permission."""
    answer = api.get("/api/runs", headers={"Origin": origin})
    assert answer.status_code == 200
    answer = api.request("OPTIONS", "/api/run", auth=False, headers={
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    })
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_metrics(server, api):
    """Prometheus text: every line well formed, every family described, counters count."""
    before = server.metrics()
    api.run("print(1)")
    api.run("raise SystemExit(1)")
    api.run("console.log(1)", "node")
    answer = api.get("/metrics", auth=False)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    after = server.metrics()

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown('docle_runs_total{lang="python",outcome="ok"}') == 1
    assert grown('docle_runs_total{lang="python",outcome="error"}') == 1
    assert grown('docle_runs_total{lang="node",outcome="ok"}') == 1
    assert grown('docle_run_duration_seconds_count{lang="python"}') == 2
    assert after["docle_slots"] >= 1 and after["docle_queue_depth"] == 0 and after["docle_ready"] == 1
    assert any(name.startswith("docle_zygote_forks_total{") for name in after)
    assert any(name.startswith("docle_spares{") for name in after)
    assert {'docle_starts_total{kind="warm"}', 'docle_starts_total{kind="cold"}', 'docle_starts_total{kind="plain"}'} <= set(after)
    assert any(name.startswith('docle_http_requests_total{route="/api/run",status="2xx"') for name in after)
    sample = re.compile(r'^docle_[a-z0-9_]+(\{([a-z]+="[^"\\\n]*",?)*\})? -?[0-9.]+$')
    families = set()
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            families.add(line.split()[2])
        elif not line.startswith("#"):
            assert sample.match(line), line
            name = line.split("{")[0].split(" ")[0]
            assert name in families or re.sub("_(bucket|sum|count)$", "", name) in families, line


def test_histograms_are_cumulative(server, api):
    api.run("print(1)")
    values = server.metrics()
    for lang in ("python", "node"):
        prefix = f'docle_run_duration_seconds_bucket{{lang="{lang}",le="'
        buckets = [value for name, value in values.items() if name.startswith(prefix)]
        assert buckets == sorted(buckets)
        assert buckets[-1] == values[f'docle_run_duration_seconds_count{{lang="{lang}"}}']


def other_address():
    """An address of this machine that is not loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def test_metrics_are_closed_to_proxied_clients(api):
    """A-34: loopback is the proxy's address, not the client's."""
    answer = api.get("/metrics", auth=False, headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.status_code == 404
    answer = api.get("/metrics", auth=False, headers={"X-Forwarded-For": "203.0.113.9, 127.0.0.1"})
    assert answer.status_code == 404


def test_metrics_token(own_server, make_client):
    server = own_server(env={"DOCLE_METRICS_TOKEN": "figures-please"})
    client = make_client(server)
    away = {"X-Forwarded-For": "203.0.113.9"}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers=away).status_code == 404
    assert client.get("/metrics", headers={**away, "Authorization": "Bearer figures-pleasE"}).status_code == 404
    assert client.get("/metrics", headers={**away, "Authorization": "Bearer figures-please"}).status_code == 200
    assert "figures-please" not in server.log_text()


def test_unknown_routes(api):
    for path in ("/nothing", "/api", "/api/", "/api/run/a/b", "/favicon.ico"):
        answer = api.get(path)
        assert answer.status_code == 404 and answer.json()["error"] == "not found"
        assert "/openapi.json" in answer.json()["message"]
