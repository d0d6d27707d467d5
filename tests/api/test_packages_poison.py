"""An index that serves what it must not: packages that reach for more than a layer. The installer is the real pip."""

import base64
import hashlib
import http.server
import io
import pathlib
import threading
import zipfile

import pytest

from harness import Server


class Wheel:
    """A wheel with members of any name and kind; only its metadata is as it should be."""

    def __init__(self, name, members, version="1"):
        self.name, self.file = name, f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        files = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                 f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        entries = [(zipfile.ZipInfo(path), content) for path, content in files.items()]
        entries += [self._member(*member) for member in members]
        record = "".join(f"{member.filename},sha256={self._hash(content)},{len(content)}\n"
                         for member, content in entries)
        entries.append((zipfile.ZipInfo(f"{info}/RECORD"), record + f"{info}/RECORD,,\n"))
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for member, content in entries:
                archive.writestr(member, content)
        self.data = data.getvalue()

    @staticmethod
    def _member(path, content, mode=0o100644):
        member = zipfile.ZipInfo(path)
        member.create_system, member.external_attr = 3, mode << 16
        return member, content

    @staticmethod
    def _hash(content):
        return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()


WHEELS = {wheel.name: wheel for wheel in (
    Wheel("good", [("good.py", "x = 1\n")]),
    Wheel("climber", [("climber.py", ""), ("../../climbed.py", "x = 1\n")]),
    Wheel("rooted", [("rooted.py", ""), ("/tmp/rooted.py", "x = 1\n")]),
    Wheel("setuid", [("setuid.py", ""), ("setuid_tool", "#!/bin/sh\n", 0o106755)]),
    Wheel("linked", [("linked.py", ""), ("linked_passwd", "/etc/passwd", 0o120777)]),
    Wheel("device", [("device.py", ""), ("device_null", "", 0o020666)]),
    Wheel("startup", [("startup.py", ""), ("startup.pth", "import sys; sys.startup = 'ran'\n"),
                      ("sitecustomize.py", "import sys; sys.customised = 'ran'\n")]),
    Wheel("shadow", [("json.py", "x = 'shadowed'\n"), ("docle.pth", "/workspace/elsewhere\n")]),
    Wheel("bomb", [("bomb.bin", "\0" * (40 << 20))]),
)}


class Index(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        parts = self.path.strip("/").split("/")
        Index.asked.append(self.path)
        wheel = WHEELS.get(parts[1]) if len(parts) > 1 else None
        if not wheel:
            self.send_error(404)
            return
        body = wheel.data if parts[0] == "files" else f'<a href="/files/{wheel.name}/{wheel.file}">{wheel.file}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if parts[0] == "simple" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def poisoned(make_client):
    index = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=index.serve_forever, daemon=True).start()
    server = Server("--packages-layer-mb", "32", env={"DOCLE_PACKAGES_PIP_INDEX": f"http://127.0.0.1:{index.server_port}/simple"})
    server.start()
    yield make_client(server, server.create_key()["key"])
    try:
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()
        index.shutdown()


def trees(api):
    return pathlib.Path(api.server.folder, "packages/layers")


def settled(api):
    """No half-made layer, and nothing in any that is not what it should be."""
    for path in trees(api).rglob("*"):
        assert not path.name.startswith(".new."), path
        info = path.lstat()
        assert path.is_symlink() or path.is_file() or path.is_dir(), path
        assert path.is_symlink() or not info.st_mode & 0o7022, f"{path}: {info.st_mode:o}"


def test_good(poisoned):
    result = poisoned.run("import good; print(good.x)", packages=["good"])
    assert (result["outcome"], result["stdout"]) == ("ok", "1\n"), result
    assert any(path.startswith("/files/good") for path in Index.asked)
    settled(poisoned)


@pytest.mark.parametrize("name", ["climber", "rooted"])
def test_names_that_lead_out(poisoned, name):
    result = poisoned.run(f"import {name}", packages=[name])
    assert result["outcome"] == "install_failed", result
    assert not pathlib.Path("/tmp/rooted.py").exists()
    assert not list(pathlib.Path(poisoned.server.data).glob("**/climbed.py"))
    settled(poisoned)


@pytest.mark.parametrize("name", ["setuid", "linked", "device"])
def test_kinds_and_rights(poisoned, name):
    code = (f"import {name}, os, stat\nfolder = os.path.dirname({name}.__file__)\n"
            f"for entry in os.scandir(folder):\n    mode = entry.stat(follow_symlinks=False).st_mode\n"
            "    assert not mode & 0o7022, (entry.name, oct(mode))\n    assert stat.S_ISREG(mode) or stat.S_ISDIR(mode)\n")
    result = poisoned.run(code, packages=[name])
    assert result["outcome"] in ("ok", "install_failed"), result
    settled(poisoned)


def test_startup_files_run_in_the_run_alone(poisoned):
    """They are the packages' right; the run is sealed. The install and other runs see nothing of them."""
    result = poisoned.run("import sys; print(sys.startup)", packages=["startup"])
    assert (result["outcome"], result["stdout"]) == ("ok", "ran\n"), result
    assert poisoned.run("import sys; print(hasattr(sys, 'startup'), hasattr(sys, 'customised'))")["stdout"] == "False False\n"


def test_standard_modules_come_first(poisoned):
    result = poisoned.run("import json, sys; print(hasattr(json, 'dumps'))", packages=["shadow"])
    assert (result["outcome"], result["stdout"]) == ("ok", "True\n"), result


def test_bomb(poisoned):
    result = poisoned.run("print(1)", packages=["bomb"])
    assert result["outcome"] == "install_failed" and "MB" in result["message"], result
    settled(poisoned)


def test_only_the_index_is_reached(poisoned):
    """A name that this index does not have is asked of nobody else."""
    result = poisoned.run("print(1)", packages=["six"])
    assert result["outcome"] == "install_failed", result
    assert "/simple/six/" in Index.asked
