"""`repo` of POST /api/run against a host of repositories of our own."""

import concurrent.futures
import tarfile

import pytest
from repo_host import COMMIT, RepoHost, archive, bomb, member, not_gzip

MAIN = {"main.py": "import lib.deep as d\nprint('main', d.VALUE)", "lib/deep.py": "VALUE = 42"}


@pytest.fixture(scope="module")
def host():
    made = RepoHost()
    made.token = "secret-token-of-the-operator"
    yield made
    made.close()


@pytest.fixture(autouse=True)
def well_behaved(host):
    yield
    host.answer, host.cut, host.delay = None, False, 0


@pytest.fixture(scope="module")
def served(host, contract):
    from conftest import Client
    from harness import Server

    made = Server(f"--repos-api-url={host.url}", "--repos-host=git.example", env={"DOCLE_REPOS_TOKEN": host.token})
    made.start()
    yield Client(made, contract, made.create_key("repos")["key"])
    try:
        assert made.stop() == 0
        assert host.token not in made.log_text()
    finally:
        made.clean()


def run(served, repo, status=200, **fields):
    answer = served.post("/api/run", {"repo": repo, **fields})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_whole_folders(host, served):
    host.add("octo/plain", MAIN)
    result = run(served, "octo/plain")
    assert result["stdout"] == "main 42\n"
    assert result["repo"] == {"owner": "octo", "name": "plain", "ref": "main", "commit": COMMIT}
    stored = served.get(f"/api/run/{result['id']}").json()
    assert stored["repo"] == result["repo"]
    assert stored["stdout"] == result["stdout"]


@pytest.mark.parametrize("form", ["https://git.example/octo/forms", "http://www.git.example/octo/forms.git",
                                  "octo/forms.git", "OCTO/Forms", "https://git.example/octo/forms/",
                                  f"https://git.example/octo/forms/commit/{COMMIT}", "octo/forms/tree/main"])
def test_forms(host, served, form):
    host.add("octo/forms", MAIN)
    assert run(served, form)["stdout"] == "main 42\n"


@pytest.mark.parametrize("text", ["octo", "octo/", "/x", "https://git.example/octo", "https://github.com/o/n",
                                  "https://127.0.0.1/o/n", "http://169.254.169.254/a/b", "ftp://git.example/o/n",
                                  "o/n/blob/main/x.py", "o/n/tree/../x",
                                  "o/n/tree/%00", "o/n/tree/%zz", "o/..", "o@evil/n",
                                  "o/n/tree/" + "x" * 600, "https://git.example@evil/o/n", "o/n/tree/a\\b", "a" * 5000])
def test_bad_names_never_leave(host, served, text):
    before = len(host.asked)
    error = run(served, text, 400)
    assert error["error"] == "Failed to load GitHub repository"
    assert error["code"] == "invalid_repository"
    assert len(host.asked) == before


@pytest.mark.parametrize("tree", ["a b", "a%2e%2e/b", "%23x", "%3Fx=1", "a%0Ab"])
def test_odd_refs_stay_in_the_path(host, served, tree):
    """Whatever a ref holds, the host hears it as a part of the one path that was meant."""
    host.add("octo/odd-refs", MAIN)
    before = len(host.asked)
    assert run(served, f"octo/odd-refs/tree/{tree}", 400)["code"] in ("repository_not_found", "invalid_repository")
    for _, path, _ in host.asked[before:]:
        assert path.startswith(("/repos/octo/odd-refs/commits/", "/repos/octo/odd-refs/git/matching-refs/"))
        assert not set(path) & set("?# \n") and "/../" not in path


def test_default_branch_when_there_is_no_main(host, served):
    host.add("octo/old", MAIN, branches=["master"], default="master")
    assert run(served, "octo/old")["repo"]["ref"] == "HEAD"


@pytest.mark.parametrize("tree, ref, folder", [
    ("feature/new/app/sub", "feature/new", "app/sub"), ("feature/new", "feature/new", None), ("v1/app/sub", "v1", "app/sub"),
    ("rel/1.0/app/sub", "rel/1.0", "app/sub"), ("main/app/sub", "main", "app/sub"), (f"{COMMIT}/app/sub", COMMIT, "app/sub")])
def test_branches_with_slashes(host, served, tree, ref, folder):
    host.add("octo/trees", {"app/sub/main.py": "print('sub')", "main.py": "print('top')"},
             branches=["main", "feature/new", "feature/newer"], tags=["v1", "rel/1.0"])
    result = run(served, f"octo/trees/tree/{tree}")
    assert result["stdout"] == ("sub\n" if folder else "top\n")
    assert (result["repo"]["ref"], result["repo"].get("folder")) == (ref, folder)


def test_what_is_not_there(host, served):
    host.add("octo/there", MAIN)
    missing = run(served, "octo/missing", 400)
    assert missing["error"] == "Failed to load GitHub repository"
    assert missing["message"] == "Repository not found: octo/missing. Make sure it's public."
    assert missing["repo"] == "octo/missing"
    assert run(served, "octo/there/tree/nowhere", 400)["code"] == "repository_not_found"
    assert "Folder not found" in run(served, "octo/there/tree/main/nowhere", 400)["message"]
    host.add("octo/bare", {"picture.png": b"\x89PNG"})
    assert "No files to run" in run(served, "octo/bare", 400)["message"]


@pytest.mark.parametrize("name, files, out", [
    ("py-app", {"zz.py": "print('zz')", "app.py": "print('app')"}, "app"),
    ("py-first", {"b.py": "print('b')", "a.py": "print('a')"}, "a"),
    ("py-dunder", {"x.py": "", "__main__.py": "print('dunder')"}, "dunder"),
    ("js-more", {"a.js": "console.log('a')", "b.js": "", "c.py": ""}, "a"),
    ("js-main", {"package.json": '{"main": "./src/go.js"}', "src/go.js": "console.log('go')",
                 "a.js": "", "a.py": "", "b.py": "", "c.py": ""}, "go"),
    ("js-index", {"package.json": "{}", "index.js": "console.log('index')", "server.js": ""}, "index"),
    ("py-setup", {"setup.py": "print('setup')", "index.js": "", "app.js": "", "main.py": "print('m')"}, "m")])
def test_language_and_entry_point(host, served, name, files, out):
    host.add(f"octo/{name}", files)
    assert run(served, f"octo/{name}")["stdout"] == f"{out}\n"


def test_no_language(host, served):
    host.add("octo/text", {"README.md": "text"})
    assert run(served, "octo/text", 400)["details"][0]["path"] == "lang"


def test_the_caller_wins(host, served):
    host.add("octo/mine", {"main.py": "print('theirs')", "other.py": "import main", "x.js": "console.log('js')"})
    assert run(served, "octo/mine", entrypoint="other.py")["stdout"] == "theirs\n"
    assert run(served, "octo/mine", lang="node")["stdout"] == "js\n"
    mine = [{"path": "main.py", "content": "print('mine')"}, {"path": "new.py", "content": ""}]
    assert run(served, "octo/mine", files=mine)["stdout"] == "mine\n"
    assert run(served, "octo/mine", code="import other; print('code')", entrypoint="go.py")["stdout"] == "theirs\ncode\n"
    assert run(served, "octo/mine", code="print('instead')")["stdout"] == "instead\n"
    assert run(served, "octo/mine", code="")["stdout"] == "theirs\n"
    missing = run(served, "octo/mine", 400, entrypoint="gone.py")
    assert missing["details"][0]["code"] == "entrypoint_not_found"


def test_what_is_left_out(host, served):
    host.add("octo/parts", {"main.py": "import os\nprint(sorted(os.listdir('.')))", "big.txt": b"b" * (1 << 20),
                            "bigger.txt": b"b" * ((1 << 20) + 1), ".git/config.json": "{}", "x.exe": b"MZ"})
    assert run(served, "octo/parts")["stdout"] == "['big.txt', 'main.py']\n"


def test_failed_install_still_names_the_repository(host, served):
    host.add("octo/wants", {"main.py": "", "requirements.txt": "this-is-no-package-at-all-0x1==9.9.9\n"})
    result = run(served, "octo/wants")
    assert result["outcome"] == "install_failed"
    assert result["repo"]["name"] == "wants"


def test_too_many_files(host, served):
    host.add("octo/hundred", {"main.py": "import os; print(len(os.listdir('.')))", **{f"f{i}.txt": "" for i in range(99)}})
    assert run(served, "octo/hundred")["stdout"] == "100\n"
    host.add("octo/many", {f"f{i}.py": "" for i in range(137)})
    error = run(served, "octo/many", 400)
    assert error["message"] == "Too many files in repository (137). Maximum allowed: 100"
    assert error["code"] == "repository_too_large"


@pytest.mark.parametrize("name, tarball", [
    ("traversal", archive(MAIN, member("TOP/../../evil.py"))), ("garbage", b"\0" * 5000), ("nothing", b""), ("no-tar", not_gzip()),
    ("cut", archive(MAIN)[:-40])])
def test_hostile_archives(host, served, name, tarball):
    host.add(f"octo/{name}", tarball=tarball)
    assert run(served, f"octo/{name}", 400)["code"] in ("invalid_repository", "repository_not_found")


def test_the_later_of_two_members_counts(host, served):
    """As tar has it."""
    host.add("octo/twice", tarball=archive(MAIN, member("TOP/main.py")))
    assert run(served, "octo/twice")["stdout"] == ""


def test_absolute_names_are_names_in_the_archive(host, served):
    host.add("octo/absolute", tarball=archive({"main.py": "import os; print(os.path.exists('/etc/evil.py'))"},
                                              member("/etc/evil.py")))
    assert run(served, "octo/absolute")["stdout"] == "False\n"


def test_bomb(host, served):
    host.add("octo/bomb", tarball=bomb())
    assert run(served, "octo/bomb", 400)["code"] == "repository_too_large"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_left_out(host, served, kind):
    name = f"octo/kind{kind.decode()}"
    host.add(name, tarball=archive({"main.py": "import os; print(os.listdir('.'))"},
                                   member("TOP/passwd.txt", kind, "/etc/passwd")))
    assert run(served, name)["stdout"] == "['main.py']\n"


def test_renamed(host, served):
    host.add("octo/new-name", MAIN)
    host.add("octo/old-name").renamed_to = "octo/new-name"
    assert run(served, "octo/old-name")["stdout"] == "main 42\n"


def test_token_stays_with_the_api(host, served):
    host.add("octo/private", MAIN).private = True
    start = len(host.asked)
    result = run(served, "octo/private")
    asked = host.asked[start:]
    assert {authorization for kind, _, authorization in asked if kind == "api"} == {f"Bearer {host.token}"}
    assert [authorization for kind, _, authorization in asked if kind == "files"] == [None]
    assert host.token not in str(result)


@pytest.mark.parametrize("name, status, headers, retry", [
    ("limited", 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}, 900),
    ("often", 429, {"retry-after": "77"}, 77), ("secondary", 403, {"retry-after": "9"}, 9), ("down", 502, {}, 30)])
def test_host_says_later(host, served, name, status, headers, retry):
    host.answer = (status, headers, "{}")
    answer = served.post("/api/run", {"repo": f"octo/{name}"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "repository_unavailable"
    assert retry - 5 <= int(answer.headers["Retry-After"]) <= retry
    before = len(host.asked)
    assert served.post("/api/run", {"repo": f"octo/{name}"}).status_code == 503
    assert len(host.asked) == before  # it is not asked again for now


def test_blocked(host, served):
    host.answer = (451, {}, "{}")
    assert run(served, "octo/blocked", 400)["code"] == "repository_denied"


def test_odd_answers(host, served):
    for name, body in (("odd", "<html>"), ("long", "f" * 70000), ("empty", "")):
        host.answer = (200, {}, body)
        assert served.post("/api/run", {"repo": f"octo/{name}"}).status_code == 503
    host.answer = (200, {}, "[" * 100000)
    assert served.post("/api/run", {"repo": "octo/deep/tree/a/b"}).status_code == 503


def test_cut_download(host, served):
    host.add("octo/cut-off", {"main.py": "#" * 100000})
    host.cut = True
    assert run(served, "octo/cut-off", 503)["code"] == "repository_unavailable"


def test_fetched_once(host, served):
    host.add("octo/shared", MAIN)
    host.delay = 0.2
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: run(served, "octo/shared"), range(8)))
    assert {result["stdout"] for result in results} == {"main 42\n"}
    assert host.count("/octo/shared/tarball/") == 1
    hits = served.metric("docle_repository_hits_total")
    run(served, "octo/shared")
    assert host.count("/octo/shared/tarball/") == 1
    assert served.metric("docle_repository_hits_total") == hits + 1
    assert served.metric("docle_repository_bytes") > 0


def test_replay_needs_no_host(host, served):
    host.add("octo/replayed", MAIN)
    headers = {"Idempotency-Key": "once"}
    first = served.post("/api/run", {"repo": "octo/replayed", "userContext": {"id": "u"}}, headers=headers)
    del host.repositories["octo/replayed"]
    before = len(host.asked)
    again = served.post("/api/run", {"repo": "octo/replayed", "userContext": {"id": "u"}}, headers=headers)
    assert len(host.asked) == before
    other = served.post("/api/run", {"repo": "octo/other"}, headers=headers)
    assert other.status_code == 409
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


def test_stream(host, served):
    host.add("octo/streamed", MAIN)
    answer = served.post("/api/run", {"repo": "octo/streamed", "stream": True})
    assert "main 42" in answer.text


def test_switched_off(make_client, own_server):
    server = own_server("--repos-enabled=off")
    client = make_client(server, server.create_key("off")["key"])
    error = client.post("/api/run", {"repo": "octo/plain"})
    assert error.status_code == 400
    assert error.json()["code"] == "not_enabled"


def test_unreachable_host(make_client, own_server):
    server = own_server("--repos-api-url=http://127.0.0.1:9")
    client = make_client(server, server.create_key("off")["key"])
    error = client.post("/api/run", {"repo": "octo/plain"})
    assert error.status_code == 503
    assert error.json()["code"] == "repository_unavailable"
