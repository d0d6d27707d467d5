"""docle run --repo, against the host of repositories that the API's tests use."""

import json
import pathlib
import sys

import pytest

from conftest import docle

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from repo_host import COMMIT, RepoHost  # noqa: E402


@pytest.fixture(scope="module")
def host():
    made = RepoHost()
    made.add("octo/plain", {"main.py": "import sys, lib.deep as d\nprint(d.VALUE, sys.argv[1:])",
                            "lib/deep.py": "VALUE = 42"})
    made.add("octo/web", {"app/index.js": "console.log('in a folder')", "main.py": "print('not this')"})
    yield made
    made.close()


@pytest.fixture
def run(host):
    def start(repo, *arguments, **more):
        return docle("run", "--repos-api-url", host.url, "--repos-host", "git.example", "--repo", repo,
                     *arguments, **more)

    return start


def test_a_repository(run):
    assert run("octo/plain", "--", "a", "b", check=0).stdout == "42 ['a', 'b']\n"


def test_a_folder_by_its_address(run):
    assert run("https://git.example/octo/web/tree/main/app", check=0).stdout == "in a folder\n"


def test_as_the_api_does(run):
    result = json.loads(run("octo/plain", "--json", check=0).stdout)
    assert result["repo"] == {"owner": "octo", "name": "plain", "ref": "main", "commit": COMMIT}


@pytest.mark.parametrize("repo, said", [
    ("octo/absent", "Repository not found: octo/absent"),
    ("https://elsewhere.example/octo/plain", "git.example"),
    ("octo", "owner/name"),
])
def test_what_cannot_be(run, repo, said):
    done = run(repo)
    assert done.returncode == 125 and done.stdout == ""
    assert said in done.stderr


def test_a_host_that_is_away():
    done = docle("run", "--repos-api-url", "http://127.0.0.1:9", "--repo", "octo/plain", check=125)
    assert "--repo" in done.stderr
