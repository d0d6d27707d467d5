"""Registries that ask who it is: an index behind a password, a scope whose registry wants a token. The installers are
the real pip and npm. What they sign in with is seen nowhere else."""

import base64
import hashlib
import http.server
import io
import json
import pathlib
import subprocess
import tarfile
import threading

import pytest

from harness import COMMAND, environment, open_to_programs
from identity import IDENTITY
from test_packages_poison import Wheel

USER, SECRET, TOKEN = "deploy", "s3cr3t-p4ss", "npm_t0k3n_of_the_tests"
WHEEL = Wheel("private", [("private.py", "x = 'private'\n")])
BASIC = "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()


def tarball():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, text in (("package/package.json", '{"name":"@own/thing","version":"1.0.0","main":"i.js"}'),
                           ("package/i.js", "module.exports = 'own thing'")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()


TARBALL = tarball()


class Registry(http.server.BaseHTTPRequestHandler):
    """Both an index for pip and a registry for npm; 401 for whoever does not sign in."""

    def do_GET(self):
        wanted = BASIC if self.path.startswith("/pip/") else f"Bearer {TOKEN}"
        if self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        top = f"http://127.0.0.1:{self.server.server_port}"
        manifest = {"name": "@own/thing", "version": "1.0.0", "dist": {
            "tarball": f"{top}/npm/thing.tgz", "shasum": hashlib.sha1(TARBALL).hexdigest(),
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(TARBALL).digest()).decode()}}
        pages = {
            "/pip/simple/private": f'<a href="/pip/files/{WHEEL.file}">{WHEEL.file}</a>'.encode(),
            f"/pip/files/{WHEEL.file}": WHEEL.data,
            "/npm/@own%2fthing": json.dumps({"name": "@own/thing", "dist-tags": {"latest": "1.0.0"},
                                             "versions": {"1.0.0": manifest}}).encode(),
            "/npm/thing.tgz": TARBALL,
        }
        body = pages.get(self.path.rstrip("/"))
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if "simple" in self.path else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def registry():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def npm_lines(port):
    return [f"@own:registry=http://127.0.0.1:{port}/npm/", f"//127.0.0.1:{port}/npm/:_authToken={TOKEN}"]


PYTHON = "import private, os; print(private.x); " + """
for top in (os.path.dirname(private.__file__), "/proc/self", "/tmp", "/workspace"):
    for folder, below, files in os.walk(top):
        below[:] = [name for name in below if name != "fd"]  # a pipe of its own would keep it waiting
        for name in files:
            try:
                text = open(os.path.join(folder, name), errors="replace").read(1 << 20) if name != "mem" else ""
            except OSError:
                continue
            assert "s3cr3t" + "-p4ss" not in text, name
"""
NODE = """
console.log(require('@own/thing'));
const { execSync } = require('child_process');
console.log(execSync("grep -rlsF npm_t0k3n'_of_the_tests' /node_modules /tmp /proc/self/environ || true").length);
"""


def nowhere(server, *answers):
    """Neither in answers, nor in what the server wrote."""
    texts = {"answers": json.dumps(answers), "log": server.log_text()}
    for path in pathlib.Path(server.data).rglob("*"):
        if path.is_file():
            texts[str(path)] = path.read_bytes().decode("latin-1")
    assert [name for name, text in texts.items() if SECRET in text or TOKEN in text or BASIC[6:] in text] == []


def both(api):
    python = api.run(PYTHON, packages=["private"])
    assert (python["outcome"], python["stdout"]) == ("ok", "private\n"), python
    node = api.run(NODE, "node", packages=["@own/thing"])
    assert (node["outcome"], node["stdout"]) == ("ok", "own thing\n0\n"), node
    failed = [api.run("1", packages=["private==7"]), api.run("1", "node", packages=["@own/none"])]
    assert [result["outcome"] for result in failed] == ["install_failed"] * 2
    nowhere(api.server, python, node, *failed)


def test_settings(registry, own_server, make_client):
    server = own_server(env={"DOCLE_PACKAGES_PIP_INDEX": f"http://{USER}:{SECRET}@127.0.0.1:{registry}/pip/simple",
                             "DOCLE_PACKAGES_NPM_CONFIG": ";".join(npm_lines(registry))})
    both(make_client(server, server.create_key()["key"]))
    shown = server.docle("config").stdout
    assert "npm_config = (set)" in shown and SECRET not in shown and TOKEN not in shown


def test_wrong_ones(registry, own_server, make_client):
    server = own_server(env={"DOCLE_PACKAGES_PIP_INDEX": f"http://{USER}:wrong@127.0.0.1:{registry}/pip/simple",
                             "DOCLE_PACKAGES_NPM_CONFIG": npm_lines(registry)[0]})
    api = make_client(server, server.create_key()["key"])
    for lang, name in (("python", "private"), ("node", "@own/thing")):
        result = api.run("1", lang, packages=[name])
        assert result["outcome"] == "install_failed" and "wrong" not in json.dumps(result), result


def test_a_line_that_is_none(own_server):
    with pytest.raises(AssertionError, match="packages.npm_config: a line for npm is neither"):
        own_server(env={"DOCLE_PACKAGES_NPM_CONFIG": f"_authToken={TOKEN}"})


def test_as_the_host_is_configured(registry, own_server, make_client, tmp_path):
    """What pip and npm of the host know: netrc, scopes and tokens of an .npmrc, with a variable."""
    scope, token = npm_lines(registry)
    tmp_path.joinpath(".npmrc").write_text(f"{scope}\n; a remark\n{token.replace(TOKEN, '${OWN_TOKEN}')}\nfund = false\n")
    tmp_path.joinpath(".netrc").write_text(f"machine 127.0.0.1 login {USER} password {SECRET}\n")
    tmp_path.joinpath(".netrc").chmod(0o600)
    tmp_path.joinpath("pip.conf").write_text(f"[global]\nindex-url = http://127.0.0.1:{registry}/pip/simple\n")
    open_to_programs(tmp_path)
    for name in (".netrc", ".npmrc", "pip.conf"):
        IDENTITY.give(tmp_path / name)
    root = tmp_path / "root"
    env = environment(HOME=str(tmp_path), PIP_CONFIG_FILE=str(tmp_path / "pip.conf"), OWN_TOKEN=TOKEN,
                      NETRC=str(tmp_path / ".netrc"))
    env["DOCLE_ROOT_DIR"] = str(root)
    subprocess.run([*COMMAND, "runtimes", "refresh", "--quiet"], check=True, env=env, stdout=subprocess.DEVNULL)
    conf = (root / "current/installers.conf")
    assert conf.stat().st_mode & 0o077 == 0
    assert not subprocess.run(["grep", "-rlF", "-e", SECRET, "-e", TOKEN, root / "current/rootfs"], check=False,
                              capture_output=True).stdout
    server = own_server(env=env)
    both(make_client(server, server.create_key()["key"]))
