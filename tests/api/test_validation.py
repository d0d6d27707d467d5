"""Bad input: refused with a code and a next step, and nothing is started. A-03, A-04, A-06."""

import json

import pytest


@pytest.fixture(autouse=True)
def nothing_is_started(server, api):
    """Refused requests leave no run and no metering row."""
    count = "SELECT (SELECT COUNT(*) FROM runs), (SELECT COUNT(*) FROM ledger)"
    before = server.query(count)
    yield
    assert server.query(count) == before


def refused(api, body, status=400):
    answer = api.post("/api/run", body)
    assert answer.status_code == status, answer.text
    return answer.json()


def python(**fields):
    return {"code": "print(1)", "lang": "python", **fields}


def paths(body):
    return {detail["path"] for detail in body["details"]}


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b"null", b"[]", b'"x"', b"1", b"{'a':1}", b'{"code":"x",}', b'{"code":"x"}{}',
        b'{"code":"x"} x', b'{"code":NaN}', b'{"code":01}', b'\xef\xbb\xbf{"code":"print(1)","lang":"python"}',
        b'{"code":"\xff","lang":"python"}', b'{"code":"\xc0\xaf","lang":"python"}',
        b'{"code":"\\ud800","lang":"python"}', b'{"code":"\\uDC00\\uD800","lang":"python"}',
        b'{"code":"a","code":"b","lang":"python"}',
        b'{"code":"a","lang":"python","policy":{"timeoutMs":200,"timeoutMs":300}}',
        b'{"code":"a\tb","lang":"python"}', b"[" * 100000, b'{"a":' * 100000,
        b'{"code":"a","lang":"python","x":' + b"[" * 40 + b"]" * 40 + b"}",
    ],
)
def test_malformed_json(api, text):
    body = refused(api, text)
    assert body["code"] in ("invalid_json", "json_too_deep", "missing_field", "invalid_type"), body
    assert body["message"] and body["details"]


@pytest.mark.parametrize(
    "body, path",
    [
        ({}, "lang"),
        ({"lang": "python"}, "code"),
        (python(code=""), "code"),
        (python(code=1), "code"),
        (python(code=None), "code"),
        (python(lang="ruby"), "lang"),
        (python(lang="Python"), "lang"),
        (python(lang=1), "lang"),
        (python(files="x"), "files"),
        (python(files=[1]), "files[0]"),
        (python(files=[{"path": "main.py"}]), "files[0].content"),
        (python(files=[{"content": "x"}]), "files[0].path"),
        (python(files=[{"path": "main.py", "content": "x", "encoding": "hex"}]), "files[0].encoding"),
        (python(files=[{"path": "main.py", "content": "&&&", "encoding": "base64"}]), "files[0].content"),
        (python(files=[{"path": "main.py", "content": "QQ", "encoding": "base64"}]), "files[0].content"),
        (python(files=[{"path": "x.py", "content": ""}], entrypoint="y.py"), "entrypoint"),
        (python(entrypoint=1), "entrypoint"),
        (python(policy=[]), "policy"),
        (python(policy="x"), "policy"),
        (python(stdin=1), "stdin"),
        (python(stdin="x" * (1 << 20) + "x"), "stdin"),
        (python(args="x"), "args"),
        (python(args=[1]), "args[0]"),
        (python(args=["x"] * 65), "args"),
        (python(args=["x" * 4097]), "args[0]"),
        (python(args=["a\0b"]), "args[0]"),
        (python(env=[]), "env"),
        (python(env={"A": 1}), "env"),
        (python(env={"A=B": "x"}), "env"),
        (python(env={"": "x"}), "env"),
        (python(env={"A": "a\0b"}), "env"),
        (python(env={f"A{i}": "" for i in range(65)}), "env"),
        (python(env={"A": "x" * 4096}), "env"),
        (python(artifacts="x"), "artifacts"),
        (python(artifacts=["x"] * 33), "artifacts"),
        (python(artifacts=["../x"]), "artifacts[0]"),
        (python(artifacts=["/etc/*"]), "artifacts[0]"),
        (python(userContext={}), "userContext.id"),
        (python(userContext={"id": ""}), "userContext.id"),
        (python(userContext={"id": "x" * 256}), "userContext.id"),
        (python(userContext={"id": "x", "tier": "gold"}), "userContext.tier"),
        (python(userContext="x"), "userContext"),
        (python(stream="yes"), "stream"),
        (python(store=1), "store"),
    ],
)
def test_wrong_fields(api, body, path):
    answer = refused(api, body)
    assert any(found.startswith(path) or path.startswith(found) for found in paths(answer) if found), answer["details"]
    field = path.split(".")[0].split("[")[0]
    assert field in answer["issues"]["fieldErrors"]
    assert all(detail["message"] for detail in answer["details"])


POLICY = [
    ("timeoutMs", 100, 300000), ("memoryMB", 64, 2048), ("maxProcesses", 1, 512),
    ("maxOutputBytes", 1024, 10485760), ("diskMB", 1, 128),
]


@pytest.mark.parametrize("name, low, high", POLICY)
def test_policy_ranges(api, name, low, high):
    """A-06"""
    for value in (low - 1, high + 1, 0, -1, 1e18, low + 0.5, "5", "", None, True, [], {}):
        body = refused(api, python(policy={name: value}))
        assert paths(body) == {f"policy.{name}"}, (value, body)
        assert body["message"].startswith(f"policy.{name}: ")


def test_numbers_beyond_64_bits(api):
    assert refused(api, python(policy={"timeoutMs": 10**30}))["code"] in ("invalid_json", "out_of_range")


@pytest.mark.parametrize("name, value", [("cpus", 0), ("cpus", 1000), ("cpus", "1"), ("cpuMs", 0), ("cpuMs", -1), ("cpuMs", 1.5)])
def test_cpu_policy(api, name, value):
    assert paths(refused(api, python(policy={name: value}))) == {f"policy.{name}"}


def test_disk_depends_on_memory(api):
    body = refused(api, python(policy={"memoryMB": 64, "diskMB": 33}))
    assert paths(body) == {"policy.diskMB"}


def test_unknown_policy_field(api):
    body = refused(api, python(policy={"timeout": 1000}))
    assert body["code"] == "unknown_field" and paths(body) == {"policy.timeout"}


@pytest.mark.parametrize(
    "policy, path",
    [
        ({"allowNet": True}, "policy.allowedHosts"),
        ({"allowNetwork": True}, "policy.allowedHosts"),
        ({"allowedHosts": ["example.com"]}, "policy.allowNet"),
    ],
)
def test_network_needs_both(api, policy, path):
    body = refused(api, python(policy=policy))
    assert body["code"] == "missing_field" and paths(body) == {path}, body


@pytest.mark.parametrize(
    "host",
    ["*", "*.com", "*.co.uk", "1.2.3.4", "0x7f.1", "2130706433", "127.1", "[::1]", "::1", "localhost", "db",
     ".".join(["a" * 50] * 5), "http://x.example", "x.example/path", "user@x.example", "x.example:0", "x.example:25",
     "x.example:53", "x.example:65536", "*.*.example", "a b.example", "-a.example", ""],
)
def test_bad_hosts(api, host):
    body = refused(api, python(policy={"allowNet": True, "allowedHosts": ["good.example", host]}))
    assert paths(body) == {"policy.allowedHosts[1]"}, body


@pytest.mark.parametrize("port", [0, 25, 53, 65536, -1, 1.5, "443", None])
def test_bad_ports(api, port):
    policy = {"allowNet": True, "allowedHosts": ["good.example"], "allowedPorts": [443, port]}
    assert paths(refused(api, python(policy=policy))) == {"policy.allowedPorts[1]"}


@pytest.mark.parametrize(
    "policy",
    [
        {"allowNet": True, "allowNetwork": False, "allowedHosts": ["good.example"]},
        {"allowNet": True, "allowedHosts": "good.example"},
        {"allowNet": True, "allowedHosts": ["good.example"] * 65},
        {"allowNet": True, "allowedHosts": ["good.example"], "allowedPorts": list(range(1000, 1015))},
        {"allowNet": True, "allowedHosts": ["good.example"], "allowedPorts": []},
        {"allowNet": True, "allowedHosts": [f"good.example:{port}" for port in range(1000, 1015)]},
        {"allowNet": "yes", "allowedHosts": ["good.example"]},
    ],
)
def test_bad_networks(api, policy):
    assert all(path.startswith("policy.allow") for path in paths(refused(api, python(policy=policy))))


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../b", "a/..", "..", ".", "a/./b", "a//b", "a/", "./a", "a\0b", "a\nb",
     "x" * 256, "/".join(["d"] * 600)],
)
def test_bad_paths(api, path):
    files = [{"path": "main.py", "content": ""}, {"path": path, "content": ""}]
    body = refused(api, {"files": files, "lang": "python"})
    assert paths(body) == {"files[1].path"}, body


def test_duplicate_paths(api):
    files = [{"path": "main.py", "content": "1"}, {"path": "main.py", "content": "2"}]
    assert refused(api, {"files": files, "lang": "python"})["code"] == "duplicate_path"
    files = [{"path": "main.py", "content": "1"}, {"path": "main.py/x", "content": "2"}]
    assert refused(api, {"files": files, "lang": "python"})["details"]


def test_too_many_files(api):
    files = [{"path": f"f{i}.py", "content": ""} for i in range(1001)]
    assert refused(api, {"files": files, "lang": "python"})["code"] == "too_many"


def test_all_problems_at_once(api):
    body = refused(api, {"code": 1, "lang": "x", "policy": {"timeoutMs": 1, "nope": 2}, "stdin": []})
    assert {"code", "lang", "policy.timeoutMs", "policy.nope", "stdin"} <= paths(body)
    assert set(body["issues"]["fieldErrors"]) >= {"code", "lang", "policy", "stdin"}
    assert body["error"] == "Invalid payload"


def test_unavailable_version(api):
    body = refused(api, python(version="2.6"))
    assert "2.6" in body["message"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
             "application/jsonp", "application/json5", "text/json", "application"],
)
def test_content_types(api, kind):
    """A-17: nothing that a form of another site could send."""
    answer = api.request(
        "POST", "/api/run", data=json.dumps(python()).encode(), headers={"Content-Type": kind}
    )
    assert answer.status_code == 415 and answer.json()["code"] == "unsupported_media_type"


def test_hostile_text_in_messages_is_shortened(api):
    body = refused(api, python(policy={"x" * 5000 + "\n\x1b[31m": 1}))
    assert len(body["message"]) < 1000 and "\x1b" not in body["message"]


def test_body_over_the_limit(api):
    answer = api.post("/api/run", python(code="#" * (10 * 1024 * 1024)))
    assert answer.status_code == 413
    body = answer.json()
    assert body["error"] == "Request too large" and body["max_size"] == "10MB"
