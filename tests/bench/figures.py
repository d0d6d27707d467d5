"""A server of its own for measuring, a client that costs little, and figures as JUnit cases.

A figure is a line "name: value (limit …)". With DOCLE_TEST_BENCH_STRICT=1 one over its limit fails; else it is said only:
on a busy machine a ratio says little, and tests never assert on time.
"""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import xml.sax.saxutils

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOCLE_BUILD", REPOSITORY / "build"))
# The programs under test take unknown DOCLE_ settings for mistakes.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "DOCLE_BUILD"}
BARE = {
    "python": ["/usr/bin/python3", "-I", "-c", 'print("hi")'],
    "node": ["node", "-e", 'console.log("hi")'],
}
HELLO = {"python": 'print("hi")', "node": 'console.log("hi")'}


class Server:
    """docle serve on a port of the kernel's choice, in a folder of its own."""

    def __init__(self, *options, build=BUILD, environment=None):
        self.folder = tempfile.TemporaryDirectory(prefix="docle-bench-")
        self.process = subprocess.Popen(
            [build / "docle", "serve", "--listen", "127.0.0.1:0", "--data-dir", self.folder.name, *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**ENVIRONMENT, **(environment or {})},
        )
        for line in self.process.stdout:
            if "Serving on" in line:
                self.port = int(line.rsplit(":", 1)[1])
                break
        else:
            sys.exit("the server did not start")
        made = subprocess.run(
            [BUILD / "docle", "keys", "create", "--data-dir", self.folder.name, "--project", "bench", "--json"],
            stdout=subprocess.PIPE, check=True, env=ENVIRONMENT,
        )
        self.key = json.loads(made.stdout)["key"]
        self.headers = {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"}

    def client(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)

        def run(lang, code, **more):
            body = json.dumps({"code": code, "lang": lang, **more})
            connection.request("POST", "/api/run", body, self.headers)
            answer = connection.getresponse()
            result = json.loads(answer.read())
            if answer.status != 200:
                raise AssertionError(result)
            return result

        return run

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def seconds(function, *arguments, **named):
    start = time.perf_counter()
    function(*arguments, **named)
    return time.perf_counter() - start


def bare(lang):
    subprocess.run(BARE[lang], stdout=subprocess.PIPE, check=True)


class Load:
    """tests/bench/load.c, compiled. Each call returns {"rate", "failures", "p50_ms", "p99_ms"}."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="docle-load-")
        self.program = f"{self.folder.name}/load"
        subprocess.run(["cc", "-O2", "-o", self.program, REPOSITORY / "tests/bench/load.c", "-lcurl"], check=True)

    def _run(self, arguments, body=""):
        done = subprocess.run([self.program, *map(str, arguments)], input=body, stdout=subprocess.PIPE, text=True,
                              check=True)
        return json.loads(done.stdout)

    def http(self, server, body, clients, count):
        """POSTs body to /api/run, `count` times from `clients` connections, each busy all the time."""
        url = f"http://127.0.0.1:{server.port}/api/run"
        return self._run(["http", url, server.key, clients, count], json.dumps(body))

    def spawn(self, command, parallel, count):
        """Starts the command, `count` times, `parallel` at a time."""
        return self._run(["spawn", parallel, count, *command])


class Figures:
    def __init__(self):
        self.cases = []

    def add(self, name, value, limit=None, at_most=True, unit=""):
        good = limit is None or (value <= limit if at_most else value >= limit)
        bound = "" if limit is None else f" ({'at most' if at_most else 'at least'} {limit:g}{unit})"
        line = f"{name}: {value:.3g}{unit}{bound}{'' if good else '  MISSED'}"
        print(line, flush=True)
        self.cases.append((name, line, good))

    def write(self, folder):
        strict = os.environ.get("DOCLE_TEST_BENCH_STRICT") == "1"
        rows = []
        for name, line, good in self.cases:
            text = xml.sax.saxutils.escape(line)
            inner = f"<failure>{text}</failure>" if strict and not good else f"<system-out>{text}</system-out>"
            rows.append(f"<testcase classname='bench' name={xml.sax.saxutils.quoteattr(name)}>{inner}</testcase>")
        pathlib.Path(folder, "bench.xml").write_text("<testsuite>" + "".join(rows) + "</testsuite>")
        return 1 if strict and not all(good for _, _, good in self.cases) else 0
