"""Packages that are not named by exact versions are resolved again when they are old enough, others never. The index
is a stand-in, the installer the real pip; the server's wall clock is moved."""

import http.server
import threading

import pytest

from clock import Clock
from test_packages_poison import Wheel

HOUR_S = 3600
CODE = "import fresh; print(fresh.version)"


class Index(http.server.BaseHTTPRequestHandler):
    """Has the versions of one package that it is given."""

    def do_GET(self):
        wheels = {wheel.file: wheel for wheel in self.server.wheels}
        file = self.path.rpartition("/")[2]
        self.server.asked += 1
        if self.path.rstrip("/") == "/simple/fresh":
            body, kind = "".join(f'<a href="/files/{name}">{name}</a>' for name in wheels).encode(), "text/html"
        elif file in wheels:
            body, kind = wheels[file].data, "application/octet-stream"
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def version(number):
    return Wheel("fresh", [("fresh.py", f"version = {number}\n")], str(number))


@pytest.fixture
def index():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.wheels, server.asked = [version(1)], 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_age(index, own_server, make_client, tmp_path):
    clock = Clock(tmp_path)
    server = own_server("--packages-age-hours", "24", env={
        **clock.env, "DOCLE_PACKAGES_PIP_INDEX": f"http://127.0.0.1:{index.server_port}/simple"})
    api = make_client(server, server.create_key()["key"])

    def run(*packages):
        result = api.run(CODE, packages=list(packages))
        assert result["outcome"] == "ok", result
        return result["stdout"].strip(), result["packages"]["resolved"][0]["version"]

    assert run("fresh") == run("fresh==1") == run("fresh>=1") == ("1", "1")
    index.wheels.append(version(2))
    asked = index.asked
    assert run("fresh") == run("fresh==1") == ("1", "1")
    clock.set(23 * HOUR_S)
    assert run("fresh") == ("1", "1")
    assert index.asked == asked
    clock.set(25 * HOUR_S)
    assert run("fresh==1") == ("1", "1")
    assert index.asked == asked
    assert run("fresh") == run("fresh>=1") == ("2", "2")
    assert index.asked > asked
    # From then on it counts anew; a clock that is set back makes nothing fresh for ever.
    asked = index.asked
    clock.set(48 * HOUR_S)
    assert run("fresh") == ("2", "2")
    assert index.asked == asked
    # Better old than none: the index is gone.
    index.wheels.clear()
    clock.set(80 * HOUR_S)
    assert run("fresh") == ("2", "2")
    assert index.asked > asked
    assert run("fresh==1") == ("1", "1")
