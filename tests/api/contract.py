"""Holds every answer of the server against docs/openapi.yaml: nothing undocumented passes."""

import json
import pathlib
import re

import jsonschema
import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"

# What HTTP itself needs; everything else an answer carries must stand in the contract.
FRAMING = {"content-type", "content-length", "date", "connection", "transfer-encoding"}

# Answers that any path may give, whatever its own list says.
EVERYWHERE = {
    404: "NotFound",
    405: "MethodNotAllowed",
    400: "InvalidRequest",
    408: "RequestTimeout",
    413: "TooLarge",
    414: "UriTooLong",
    429: "OwnLimit",
    431: "HeadersTooLarge",
    503: "Unavailable",
    505: "VersionNotSupported",
}


def parse_sse(text):
    """[(event, data)] of a stream of server-sent events; comments are left out."""
    events = []
    for block in text.split("\n\n"):
        event, data = None, []
        for line in block.split("\n"):
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif line and not line.startswith(":"):
                raise AssertionError(f"not a line of an event stream: {line!r}")
        if event:
            events.append((event, json.loads("\n".join(data))))
    return events


class Contract:
    def __init__(self):
        self.document = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
        self.seen = set()  # (operationId, status)
        self._paths = [
            (re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"), path, item)
            for path, item in self.document["paths"].items()
        ]

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def schema_check(self, schema, value, what):
        whole = {**schema, "components": self.document["components"]}
        errors = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
        assert not errors, f"{what}: {errors[0].json_path}: {errors[0].message}\n{value!r:.2000}"

    def operation(self, method, path):
        """The operation and its path in the contract; (None, None) where there is none."""
        for pattern, name, item in self._paths:
            if pattern.match(path):
                return item.get(method.lower()), name
        return None, None

    def response_of(self, operation, status):
        documented = (operation or {}).get("responses", {}).get(str(status))
        if documented:
            return self.resolve(documented)
        name = EVERYWHERE.get(status)
        responses = self.document["components"]["responses"]
        assert name in responses, f"status {status} is not documented"
        return responses[name]

    def check_headers(self, documented, headers, what):
        everywhere = self.document["components"]["x-every-answer"]
        names = {
            name.lower(): spec
            for name, spec in [*everywhere.items(), *documented.get("headers", {}).items()]
        }
        lowered = {name.lower(): value for name, value in headers.items()}
        unknown = set(lowered) - set(names) - FRAMING
        assert not unknown, f"{what}: undocumented headers {sorted(unknown)}"
        for name, spec in names.items():
            spec = self.resolve(spec)
            if name in lowered:
                self.schema_check(spec["schema"], lowered[name], f"{what}: header {name}")
            else:
                assert not spec.get("required"), f"{what}: header {name} is missing"

    def check_events(self, text, what):
        schemas = self.document["components"]["schemas"]
        kinds = {
            "install": "StreamInstall",
            "start": "StreamStart",
            "stdout": "StreamText",
            "stderr": "StreamText",
            "result": "RunResult",
            "error": "Error",
        }
        events = parse_sse(text)
        for event, data in events:
            assert event in kinds, f"{what}: undocumented event {event}"
            self.schema_check(schemas[kinds[event]], data, f"{what}: event {event}")
        return events

    def check(self, method, path, status, headers, body):
        """body: text. Raises AssertionError for anything that the contract does not say."""
        path = path.split("?")[0]
        what = f"{method} {path} {status}"
        if method == "OPTIONS" and status == 204:  # a preflight: the Fetch standard's, told in the contract's text
            assert not body
            return
        operation, _ = self.operation("GET" if method == "HEAD" else method, path)
        if operation is None:
            assert status >= 400, f"{what}: an undocumented route answers"
        documented = self.response_of(operation, status)
        if operation is not None:
            self.seen.add((operation["operationId"], status))
        self.check_headers(documented, headers, what)
        if method == "HEAD":
            assert not body
            return
        kind = {k.lower(): v for k, v in headers.items()}.get("content-type", "").split(";")[0]
        content = documented.get("content", {})
        assert kind in content, f"{what}: undocumented content type {kind!r}"
        schema = content[kind]["schema"]
        if kind == "application/json":
            self.schema_check(schema, json.loads(body), what)
        elif kind == "text/event-stream":
            self.check_events(body, what)
