"""Packages of runs: installed by the real pip and npm from the configured registries, into layers.

Small, pure packages with exact versions, so that little is fetched and nothing changes under the tests.
"""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from contract import parse_sse
from harness import command_of, descendants, wait_for

PIP = "six==1.16.0"
PIP_CODE = "import six; print(six.__version__)"
NPM = "ms@2.1.3"
NPM_CODE = "console.log(require('ms')('2 days')); import('ms').then((m) => console.log(m.default('1s')))"


@pytest.fixture(scope="module")
def packages_api(make_client):
    """A server of its own: its folder of layers begins empty."""
    from harness import Server

    server = Server()
    server.start()
    yield make_client(server, server.create_key()["key"])
    try:
        assert server.stop() == 0, server.log_text()[-4000:]
    finally:
        server.clean()


def layers(server):
    folder = server.folder / "packages" / "layers"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def ok(result):
    assert result["outcome"] == "ok", result
    return result["stdout"]


@pytest.mark.parametrize("shape", [lambda list_: list_, lambda list_: {"packages": list_}])
def test_pip(packages_api, shape):
    result = packages_api.run(PIP_CODE, packages=shape([PIP]))
    assert ok(result) == "1.16.0\n"
    (resolved,) = result["packages"]["resolved"]
    assert (resolved["name"], resolved["version"]) == ("six", "1.16.0")
    assert resolved["hash"].startswith("sha256:")


def test_npm(packages_api):
    result = packages_api.run(NPM_CODE, "node", packages=[NPM])
    assert ok(result) == "172800000\n1000\n"
    (resolved,) = result["packages"]["resolved"]
    assert (resolved["name"], resolved["version"]) == ("ms", "2.1.3")
    assert resolved["hash"].startswith("sha512-")


def test_npm_scope_and_deep_files(packages_api):
    files = [
        {"path": "package.json", "content": '{"type": "module"}'},
        {"path": "main.js", "content": "import './deep/er/file.js'"},
        {"path": "deep/er/file.js", "content": "import x from '@sindresorhus/is'; console.log(typeof x.string)"},
    ]
    result = packages_api.run(None, "node", files=files, packages=["@sindresorhus/is@^4"])
    assert ok(result) == "function\n"
    assert result["packages"]["resolved"][0]["version"].startswith("4.")


def test_cached(packages_api):
    packages_api.run(PIP_CODE, packages=[PIP])
    installs = packages_api.metric("docle_package_installs_total")
    hits = packages_api.metric("docle_package_hits_total")
    for spec in (PIP, "SIX==1.16.0", " six == 1.16.0 "):
        assert ok(packages_api.run(PIP_CODE, packages=[spec])) == "1.16.0\n"
    assert packages_api.metric("docle_package_installs_total") == installs
    assert packages_api.metric("docle_package_hits_total") == hits + 3


def test_runs_without_see_none(packages_api):
    packages_api.run(PIP_CODE, packages=[PIP])
    assert packages_api.run("import six")["outcome"] == "error"
    assert packages_api.run("require('ms')", "node")["outcome"] == "error"


def test_manifests(packages_api):
    main = {"path": "main.py", "content": PIP_CODE}
    requirements = {"path": "requirements.txt", "content": f"# pinned\n{PIP}  # why\n"}
    project = {"path": "pyproject.toml",
               "content": f'[project]\nname = "x"\nversion = "1"\ndependencies = [\n  "{PIP}",\n]\n'}
    assert ok(packages_api.run(None, files=[main, requirements])) == "1.16.0\n"
    assert ok(packages_api.run(None, files=[main, project])) == "1.16.0\n"
    off = packages_api.run(None, files=[main, requirements], packages=[])
    assert off["outcome"] == "error" and "packages" not in off


def test_package_json_and_lock(packages_api):
    main = {"path": "main.js", "content": "console.log(require('ms/package.json').version)"}
    manifest = {"path": "package.json", "content": json.dumps({"name": "x", "dependencies": {"ms": "^2.0.0"}})}
    assert ok(packages_api.run(None, "node", files=[main, manifest])).startswith("2.")
    integrity = packages_api.run("", "node", files=[main], packages=["ms@2.1.2"])["packages"]["resolved"][0]["hash"]
    lock = {"path": "package-lock.json", "content": json.dumps({
        "name": "x", "lockfileVersion": 3, "requires": True,
        "packages": {"": {"name": "x", "dependencies": {"ms": "^2.0.0"}},
                     "node_modules/ms": {"version": "2.1.2", "integrity": integrity}}})}
    assert ok(packages_api.run(None, "node", files=[main, manifest, lock])) == "2.1.2\n"
    lock["content"] = lock["content"].replace(integrity, "sha512-" + "A" * 86 + "==")
    failed = packages_api.run(None, "node", files=[main, manifest, lock])
    assert failed["outcome"] == "install_failed" and "integrity" in failed["stderr"].lower(), failed


@pytest.mark.parametrize("lang, spec", [
    ("python", "../up"), ("python", "git+https://host.invalid/x"), ("python", "x @ https://host.invalid/x.whl"),
    ("python", "--index-url=https://host.invalid"), ("python", "-e ."), ("python", "x; $(id)"), ("python", ""),
    ("node", "user/repo"), ("node", "x@file:../y"), ("node", "https://host.invalid/x.tgz"), ("node", "--registry=x"),
    ("node", "x@npm:y"),
])
def test_refused(packages_api, lang, spec):
    before = packages_api.metric("docle_package_installs_total")
    body = packages_api.run("1", lang, 400, packages=[spec])
    assert body["code"] == "invalid_package", body
    assert body["details"][0]["path"] == "packages[0]"
    assert packages_api.metric("docle_package_installs_total") == before


def test_refused_in_manifests(packages_api):
    main = {"path": "main.py", "content": "1"}
    bad = {"path": "requirements.txt", "content": "six\n-r more.txt\n"}
    body = packages_api.run(None, files=[main, bad], status=400)
    assert "line 2 of requirements.txt" in body["message"], body
    project = {"path": "pyproject.toml",
               "content": '[project]\ndependencies = ["x @ https://host.invalid/x.whl"]\n'}
    failed = packages_api.run(None, files=[main, project])
    assert failed["outcome"] == "install_failed" and "address" in failed["stderr"], failed


def test_too_many(packages_api):
    body = packages_api.run("1", status=400, packages=[f"name{i}" for i in range(51)])
    assert body["code"] == "too_many", body


def ledger(server):
    return server.query("SELECT count(*) FROM ledger")[0][0]


@pytest.mark.parametrize("lang, spec", [("python", "six==0.0.0.1"), ("node", "ms@0.0.0-never")])
def test_install_failed(packages_api, lang, spec):
    result = packages_api.run("print('never')", lang, packages=[spec])
    assert result["outcome"] == "install_failed" and not result["ok"] and result["exitCode"] == 1, result
    assert result["stdout"] == "" and result["stderr"].startswith("Package installation failed:"), result
    assert spec.replace("@", "").replace("=", "")[:2] in result["stderr"]
    assert result["usage"] == {"cpuMs": 0, "memMB": 0, "durationMs": 0}
    stored = packages_api.get(f"/api/run/{result['id']}").json()
    assert stored == result
    amounts = packages_api.server.query("SELECT amount_micros FROM ledger WHERE run_id = ?", result["id"])
    assert all(not amount for (amount,) in amounts), amounts


def test_many_askers_one_install(packages_api):
    spec, code = "toml==0.10.2", "import toml; print(toml.__version__)"
    before = packages_api.metric("docle_package_installs_total")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda _: packages_api.run(code, packages=[spec]), range(12)))
    assert [ok(result) for result in results] == ["0.10.2\n"] * 12
    assert packages_api.metric("docle_package_installs_total") == before + 1


def test_stream_says_install(packages_api):
    body = {"lang": "python", "code": "import idna; print(idna.__version__)", "packages": ["idna==3.4"], "stream": True}
    events = parse_sse(packages_api.post("/api/run", body).text)
    assert [kind for kind, _ in events] == ["install", "start", "stdout", "result"], events
    assert events[-1][1]["packages"]["resolved"][0]["version"] == "3.4"
    again = parse_sse(packages_api.post("/api/run", body).text)
    assert [kind for kind, _ in again] == ["start", "stdout", "result"]


def test_layer_is_read_only(packages_api):
    code = """
import os, six
for attempt in (lambda: open(six.__file__, 'a'), lambda: os.unlink(six.__file__),
                lambda: open(os.path.dirname(six.__file__) + '/new', 'w')):
    try:
        attempt()
        print('done')
    except OSError as error:
        print(error.errno)
"""
    assert set(ok(packages_api.run(code, packages=[PIP])).split()) <= {"30", "13", "1"}


def test_installers_see_no_user_code(packages_api):
    """Files that would take over an installer's imports never get there."""
    files = [{"path": "main.py", "content": "import six; print(six.__version__)"},
             {"path": "sitecustomize.py", "content": "raise SystemExit(9)"},
             {"path": "json.py", "content": "raise SystemExit(9)"},
             {"path": "pip.conf", "content": "[global]\nindex-url = https://host.invalid\n"},
             {"path": ".npmrc", "content": "registry=https://host.invalid\n"}]
    assert ok(packages_api.run(None, files=files, packages=["six==1.15.0"])) == "1.15.0\n"


def test_spoilt_layer_is_made_anew(own_server, make_client):
    server = own_server()
    api = make_client(server, server.create_key()["key"])
    api.run(PIP_CODE, packages=[PIP])
    (layer,) = layers(server)
    server.stop()
    file = server.folder / "packages" / "layers" / layer / "tree" / "six.py"
    file.write_text("__version__ = 'poison'\n")
    server.start()
    assert ok(api.run(PIP_CODE, packages=[PIP])) == "1.16.0\n"
    assert api.metric("docle_package_layers_spoilt_total") == 1


def test_killed_while_installing(own_server, make_client):
    server = own_server()
    api = make_client(server, server.create_key()["key"])
    asked = threading.Thread(target=lambda: _ignore(lambda: api.run(PIP_CODE, packages=[PIP])))
    asked.start()
    wait_for(lambda: any(name.startswith(".new.") for name in layers(server)), "an install begins")
    server.stop(signal.SIGKILL)
    asked.join()
    server.start()
    assert [name for name in layers(server) if name.startswith(".")] == []
    assert ok(api.run(PIP_CODE, packages=[PIP])) == "1.16.0\n"
    assert len(layers(server)) == 1


def _ignore(act):
    try:
        act()
    except Exception:  # noqa: BLE001 - the server is killed under it
        pass


def test_drained_while_installing(own_server, make_client):
    """SIGTERM in the middle: in order, and nothing half-made is left."""
    server = own_server("--server-drain-seconds", "1")
    api = make_client(server, server.create_key()["key"])
    asked = threading.Thread(target=lambda: _ignore(lambda: api.run(PIP_CODE, packages=[PIP])))
    asked.start()
    wait_for(lambda: any(name.startswith(".new.") for name in layers(server)), "an install begins")
    assert server.stop() == 0, server.log_text()[-2000:]
    asked.join()
    assert [name for name in layers(server) if name.startswith(".new.")] == []


def test_cancelled_while_installing(own_server, make_client):
    """A run that waits for its packages is queued, and can be cancelled; the install is for the next one."""
    server = own_server()
    api = make_client(server, server.create_key()["key"])
    many = [PIP, "toml==0.10.2", "idna==3.4", "setuptools==69.0.0"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: api.run(PIP_CODE, packages=many))
        wait_for(lambda: any(name.startswith(".new.") for name in layers(server)), "an install begins")
        (listed,) = wait_for(lambda: api.get("/api/runs").json()["runs"], "the run is listed")
        assert listed["status"] == "queued"
        assert api.get(f"/api/run/{listed['id']}").json()["status"] == "queued"
        ended = api.post(f"/api/run/{listed['id']}/cancel").json()
        assert "outcome" in ended, ended
        assert (ended["outcome"], ended["exitCode"]) == ("cancelled", 130), ended
        assert asked.result() == ended
    assert ok(api.run(PIP_CODE, packages=many)) == "1.16.0\n"
    assert api.metric("docle_package_installs_total") == 1


def test_budget(own_server, make_client):
    """The longest unused go when a new one does not fit beside them."""
    server = own_server("--packages-cache-mb", "1")
    api = make_client(server, server.create_key()["key"])
    assert ok(api.run(PIP_CODE, packages=[PIP])) == "1.16.0\n"
    (first,) = layers(server)
    os.utime(server.folder / "packages" / "layers" / first, (0, 0))
    ok(api.run("import toml, idna, six", packages=["toml==0.10.2", "idna==3.4", "six==1.16.0"]))
    wait_for(lambda: api.metric("docle_package_evictions_total") >= 1, "an old layer goes")
    assert first not in layers(server)


def test_limits_of_an_install(own_server, make_client):
    server = own_server("--packages-layer-mb", "1")
    api = make_client(server, server.create_key()["key"])
    result = api.run("1", packages=["setuptools==69.0.0"])
    assert result["outcome"] == "install_failed" and "MB" in result["message"], result
    assert layers(server) == []


def test_time_limit_of_an_install(own_server, make_client):
    """An index that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        server = own_server("--packages-install-seconds", "1", env={"DOCLE_PACKAGES_PIP_INDEX": index})
        api = make_client(server, server.create_key()["key"])
        result = api.run("1", packages=["six"])
    assert result["outcome"] == "install_failed" and result["exitCode"] == 124, result


def test_other_hosts_are_out_of_reach(own_server, make_client):
    """An index that is not there, and none else is asked instead."""
    server = own_server(env={"DOCLE_PACKAGES_PIP_INDEX": "http://127.0.0.1:9/simple"})
    api = make_client(server, server.create_key()["key"])
    result = api.run("1", packages=["six"])
    assert result["outcome"] == "install_failed", result


def test_a_wrong_warm_list_is_said_at_once(own_server):
    with pytest.raises(AssertionError, match="packages.warm: .*language"):
        own_server("--packages-warm", "perl: x")


def test_switched_off(own_server, make_client):
    server = own_server("--packages-enabled", "off")
    api = make_client(server, server.create_key()["key"])
    assert api.run("1", status=400, packages=["six"])["code"] == "not_enabled"
    assert ok(api.run("print(1)", packages=[])) == "1\n"
    assert not pathlib.Path(server.folder, "packages").exists()


def test_warm_list(own_server, make_client):
    """Installed when the server starts, and imported in a zygote."""
    server = own_server("--packages-warm", f"python: {PIP}; node: {NPM}")
    api = make_client(server, server.create_key()["key"])
    wait_for(lambda: api.metric("docle_package_layers") == 2, "the sets are installed")
    code = "import sys; print('six' in sys.modules); import six; print(six.__version__)"
    wait_for(lambda: ok(api.run(code, packages=[PIP])) == "True\n1.16.0\n", "the zygote serves")
    assert api.run("import six")["outcome"] == "error"
    assert ok(api.run(NPM_CODE, "node", packages=[NPM])) == "172800000\n1000\n"
    loaded = "console.log(Object.keys(require.cache).includes('/node_modules/ms/index.js'))"
    wait_for(lambda: ok(api.run(loaded, "node", packages=[NPM])) == "true\n", "the other zygote serves")
    assert api.metric("docle_package_installs_total") == 2
    os.kill(next(pid for pid in descendants(server.pid) if command_of(pid)[0].endswith(b"docle-launcher")),
            signal.SIGKILL)
    body = {"lang": "python", "code": code, "packages": [PIP]}
    wait_for(lambda: api.post("/api/run", body).json().get("stdout") == "True\n1.16.0\n",
             "a new launcher has the zygote, too")


def test_frequent_use(own_server, make_client):
    """A set that a project uses again and again is imported before its next run, and only for that project."""
    server = own_server()
    api = make_client(server, server.create_key()["key"])
    other = make_client(server, server.create_key("other")["key"])
    code = "import sys; print('six' in sys.modules); import six; print(six.__version__)"
    assert [ok(api.run(code, packages=[PIP])) for _ in range(2)] == ["False\n1.16.0\n"] * 2
    wait_for(lambda: ok(api.run(code, packages=[PIP])) == "True\n1.16.0\n", "a spare has it imported", pause=0.3)
    assert ok(other.run(code, packages=[PIP])) == "False\n1.16.0\n"
    assert ok(api.run(code, packages=[PIP], env={"X": "1"})) == "False\n1.16.0\n"
    loaded = "console.log(Object.keys(require.cache).includes('/node_modules/ms/index.js'))"
    wait_for(lambda: ok(api.run(loaded, "node", packages=[NPM])) == "true\n", "a spare has it loaded", pause=0.3)


def test_frequent_use_is_the_operators_choice(own_server, make_client):
    server = own_server("--packages-zygotes", "warm")
    api = make_client(server, server.create_key()["key"])
    code = "import sys; print('six' in sys.modules)"
    for _ in range(8):
        time.sleep(0.2)
        assert ok(api.run(code, packages=[PIP])) == "False\n"


def test_programs_of_packages(packages_api):
    """What pip and npm put beside the modules is found by name, and finds its interpreter."""
    code = """
import shutil, subprocess
print(shutil.which("tabulate"))
for command in (["tabulate", "-f", "plain"], "tabulate -f plain"):
    print(subprocess.run(command, input="1 2", text=True, shell=isinstance(command, str), capture_output=True))
"""
    out = ok(packages_api.run(code, packages=["tabulate==0.9.0"]))
    assert out.count("returncode=0, stdout='1  2\\n', stderr=''") == 2, out
    code = """
const { execFileSync, execSync } = require('child_process');
console.log(String(execFileSync('semver', ['-i', 'minor', '1.2.3'])).trim(), String(execSync('semver 2.0.0')).trim());
"""
    assert ok(packages_api.run(code, "node", packages=["semver@5.7.1"])) == "1.3.0 2.0.0\n"


@pytest.mark.parametrize("lang, spec, code", [
    ("python", PIP, "import os; print(os.environ['PATH'])"), ("node", NPM, "console.log(process.env.PATH)")])
def test_a_path_of_the_callers_own_stays(packages_api, lang, spec, code):
    assert ok(packages_api.run(code, lang, packages=[spec], env={"PATH": "/bin"})) == "/bin\n"
