"""docs/openapi.yaml is the contract: its examples are played, its answers all occur."""

import json

import jsonschema
import pytest

from contract import Contract

CONTRACT = Contract()


def request_examples():
    for path, item in CONTRACT.document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            for kind in operation.get("requestBody", {}).get("content", {}).values():
                for name, example in kind.get("examples", {}).items():
                    yield pytest.param(path, method.upper(), example, id=f"{operation['operationId']}-{name}")


def parameter_examples():
    for path, item in CONTRACT.document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            for parameter in map(CONTRACT.resolve, operation.get("parameters", [])):
                for name, example in parameter.get("examples", {}).items():
                    yield pytest.param(
                        path, method.upper(), parameter, example["value"],
                        id=f"{operation['operationId']}-{parameter['name']}-{name}",
                    )


def answer_examples():
    for name, response in CONTRACT.document["components"]["responses"].items():
        yield name, response
    for path, item in CONTRACT.document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                for status, response in operation["responses"].items():
                    yield f"{method} {path} {status}", CONTRACT.resolve(response)


@pytest.mark.parametrize("path, method, example", request_examples())
def test_request_examples(api, path, method, example):
    schema = CONTRACT.operation(method, path)[0]["requestBody"]["content"]["application/json"]["schema"]
    if example["x-docle-status"] == 200:
        CONTRACT.schema_check(schema, example["value"], "example")
    answer = api.request(method, path, json=example["value"])
    assert answer.status_code == example["x-docle-status"], answer.text


@pytest.mark.parametrize("path, method, parameter, value", parameter_examples())
def test_parameter_examples(api, path, method, parameter, value):
    CONTRACT.schema_check(parameter["schema"], value, "example")
    if parameter["in"] == "query":
        answer = api.request(method, path, params={parameter["name"]: str(value).lower() if isinstance(value, bool) else value})
    else:
        answer = api.request(
            method, path, headers={parameter["name"]: value}, json={"code": "print(1)", "lang": "python"}
        )
    assert answer.status_code == 200, answer.text


def test_answer_examples_fit_their_schemas():
    checked = 0
    for what, response in answer_examples():
        for kind, content in response.get("content", {}).items():
            for name, example in content.get("examples", {}).items():
                checked += 1
                if kind == "text/event-stream":
                    CONTRACT.check_events(example["value"], f"{what} {name}")
                else:
                    CONTRACT.schema_check(content["schema"], example["value"], f"{what} {name}")
    assert checked >= 6


def test_operations_have_names_and_texts():
    names = set()
    for path, item in CONTRACT.document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["summary"] and operation["operationId"] not in names
            names.add(operation["operationId"])
            for placeholder in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
                declared = [CONTRACT.resolve(p)["name"] for p in item.get("parameters", []) + operation.get("parameters", [])]
                assert placeholder in declared


def test_references_resolve():
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                CONTRACT.resolve(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(CONTRACT.document)
    for schema in CONTRACT.document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_check_is_strict():
    """The guard of all other tests: it does refuse what is not written down."""
    headers = {"X-Request-Id": "0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11", "Cache-Control": "no-store",
               "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
               "Referrer-Policy": "no-referrer", "Content-Type": "application/json"}
    good = ("GET", "/healthz", 200, headers, '{"status":"ok"}')
    CONTRACT.check(*good)
    for bad in (
        ("GET", "/nowhere", 200, headers, '{"status":"ok"}'),
        ("POST", "/healthz", 200, headers, '{"status":"ok"}'),
        ("GET", "/healthz", 201, headers, '{"status":"ok"}'),
        ("GET", "/healthz", 200, {**headers, "X-New": "1"}, '{"status":"ok"}'),
        ("GET", "/healthz", 200, {k: v for k, v in headers.items() if k != "X-Request-Id"}, '{"status":"ok"}'),
        ("GET", "/healthz", 200, headers, '{"status":"ok","more":1}'),
        ("GET", "/healthz", 200, headers, "{}"),
        ("GET", "/healthz", 200, {**headers, "Content-Type": "text/html"}, '{"status":"ok"}'),
    ):
        with pytest.raises(AssertionError):
            CONTRACT.check(*bad)


def test_documented_routes_exist(api, other_api):
    """Each path of the contract answers, and no documented answer is one that never comes."""
    run = api.run("print(1)")
    for path, item in CONTRACT.document["paths"].items():
        for method in item:
            if method == "parameters":
                continue
            real = path.replace("{id}", run["id"])
            sent = {"json": {"code": "print(1)", "lang": "python"}} if real == "/api/run" else {}
            answer = api.request(method.upper(), real, **sent)
            assert answer.status_code != 405 and (answer.status_code != 404 or answer.json()["error"] != "not found"), real


# More names than a result lists; none is allowed, so no resolver hears of them.
ASK_MANY = """
import socket
for i in range(300):
    try:
        socket.getaddrinfo(f"n{i}.other.invalid", 80)
    except socket.gaierror:
        pass
"""


def test_documented_fields_occur(api):
    """Optional fields of a result are not fiction."""
    seen = set()
    for fields in (
        {"code": "import os; os.abort()"},
        {"code": "open('a.txt','w').write('a')", "artifacts": ["*.txt"]},
        {"code": ASK_MANY, "policy": {"allowNet": True, "allowedHosts": ["*example.invalid"], "timeoutMs": 60000}},
    ):
        seen |= set(api.run(**fields))
    known = set(CONTRACT.document["components"]["schemas"]["RunResult"]["properties"])
    # The others have tests of their own.
    assert known - seen <= {"repo", "limits_applied", "filesTruncated", "packages", "test", "details"}, known - seen


def test_caps_on_files_are_said(api):
    result = api.run(
        "for i in range(40): open(f'{i}.txt', 'w').write('x')", artifacts=["*.txt"]
    )
    assert result["filesTruncated"] is True and len(result["files"]) == 32


def test_lowered_defaults_are_said(own_server, make_client):
    server = own_server("--limits-timeout-ms", "1000", "--limits-memory-mb", "128")
    client = make_client(server, server.create_key()["key"])
    result = client.run("print(1)")
    assert result["limits_applied"]["timeoutMs"] == 1000 and result["limits_applied"]["memoryMB"] == 128
    assert client.get(f"/api/run/{result['id']}").json() == result
    answer = client.post("/api/run", {"code": "print(1)", "lang": "python", "policy": {"timeoutMs": 2000}})
    assert answer.status_code == 400 and answer.json()["code"] == "above_ceiling"
    assert json.dumps(answer.json()).count("1000") >= 1
