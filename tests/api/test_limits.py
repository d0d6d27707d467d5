"""GET /api/limits: what is left of the month, and the ceilings of runs."""

import re


def test_without_plans_the_products_ranges_hold(api):
    body = api.get("/api/limits").json()
    assert body["runs"] is None and body["budget"] is None
    assert re.fullmatch(r"\d{4}-\d{2}-01T00:00:00\.000Z", body["resetsAt"]) and body["resetsAt"] > body["period"]
    policy = body["policy"]
    assert policy["timeoutMs"] == {"min": 100, "max": 300000, "default": 3000}
    assert policy["memoryMB"] == {"min": 64, "max": 2048, "default": 256}
    assert policy["diskMB"]["default"] == 64 and policy["diskMB"]["max"] == 1024
    assert policy["cpus"]["min"] == 0.1
    assert body["concurrency"]["running"] >= 1


def test_what_it_says_is_what_runs_are_held_to(api):
    policy = api.get("/api/limits").json()["policy"]
    for field in ("timeoutMs", "memoryMB", "maxProcesses"):
        refused = api.post("/api/run", {"lang": "python", "code": "1", "policy": {field: policy[field]["max"] + 1}})
        assert refused.status_code == 400, field
    api.run("1", policy={"memoryMB": policy["memoryMB"]["min"], "timeoutMs": 5000})


def test_a_caller_is_needed(api):
    assert api.get("/api/limits", auth=False).status_code == 401
