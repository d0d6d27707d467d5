"""tools/web, with an npm that only writes down what was asked of it: when it builds, and what it lives through."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import REPOSITORY, environment
from test_tools import fake

NPM = """
echo "npm $*" >>"$LOG"
[ -n "${NPM_FAILS-}" ] && { echo "npm ERR! network" >&2; exit 1; }
case "$*" in
"install "*)
    for last; do :; done
    bin=$PWD/build-web/node/node_modules/${last%@*}/bin
    mkdir -p "$bin"
    cp "$NEW_NODE" "$bin/node"
    ;;
"ci "*)
    rm -rf web/node_modules
    mkdir -p web/node_modules
    ;;
"run "*)
    mkdir -p build-web/dist
    [ -n "${NPM_HANGS-}" ] && { : >"$LOG.hangs"; exec sleep 600; }
    echo page >build-web/dist/index.html
    ;;
esac
"""


class Checkout:
    """Enough of a source tree, in a path with spaces and without .git."""

    def __init__(self, folder):
        self.root = folder / "a source  tree"
        self.log = folder / "log"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for part in ("tools", "docs", "web/apps"):
            (self.root / part).mkdir(parents=True)
        shutil.copy2(REPOSITORY / "tools/web", self.root / "tools/web")
        (self.root / "docs/openapi.yaml").write_text("openapi: 3.1.0\n")
        (self.root / "web/package-lock.json").write_text("{}\n")
        (self.root / "web/apps/a page.vue").write_text("<template/>\n")
        fake(self.bin, "npm", NPM)
        fake(self.bin, "node", "exit 0\n")

    def env(self, **more):
        return environment(PATH=f"{self.bin}:{os.environ['PATH']}", LOG=str(self.log), NEW_NODE=str(self.bin / "new"),
                           **more)

    def start(self, *words, **more):
        return subprocess.Popen([self.root / "tools/web", *words], env=self.env(**more), text=True, cwd="/",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def build(self, *words, **more):
        """What npm was asked for, its first two words each; the exit code and what was said are kept."""
        self.log.unlink(missing_ok=True)
        process = self.start(*words, **more)
        self.said = "".join(process.communicate(timeout=60))
        self.code = process.returncode
        return self.asked()

    def asked(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split()[1] for line in lines]


@pytest.fixture
def checkout(folder):
    return Checkout(folder)


def test_builds_once_and_then_needs_nothing(checkout):
    assert (checkout.build(), checkout.code) == (["ci", "run"], 0)
    assert (checkout.build(NPM_FAILS="1"), checkout.code, checkout.said) == ([], 0, "")


def test_a_changed_source_is_built_and_a_changed_lock_file_installed(checkout):
    checkout.build()
    (checkout.root / "web/apps/a page.vue").write_text("<template>new</template>\n")
    assert checkout.build() == ["run"]
    (checkout.root / "web/apps/another page.vue").write_text("")
    assert checkout.build() == ["run"]
    (checkout.root / "web/package-lock.json").write_text('{"lockfileVersion": 3}\n')
    assert checkout.build() == ["ci", "run"]


def test_what_is_generated_is_no_source(checkout):
    checkout.build()
    (checkout.root / "web/apps/contract.d.ts").write_text("export {}\n")
    assert checkout.build() == []


@pytest.mark.parametrize("lost", ["build-web", "build-web/dist", "build-web/dist/index.html", "build-web/stamp"])
def test_a_lost_result_is_made_again_without_npm_s_registry(checkout, lost):
    checkout.build()
    path = checkout.root / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert (checkout.build(), checkout.code) == (["run"], 0)


def test_packages_of_the_checks_come_when_wanted_and_stay(checkout):
    checkout.build()
    assert checkout.build("--all") == ["ci"]
    assert checkout.build("--all") == []
    assert checkout.build() == []


@pytest.mark.parametrize("step", ["everything", "the shell"])
def test_after_a_kill_in_mid_build_it_works_again(checkout, step):
    process = checkout.start(NPM_HANGS="1")
    deadline = time.monotonic() + 60
    while not (checkout.root.parent / "log.hangs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if step == "the shell":
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        second = checkout.start()
        assert "Waiting" in second.stdout.readline(), "its npm still builds"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if step == "the shell":
        second.communicate(timeout=60)
        assert second.returncode == 0
    else:
        assert (checkout.build(), checkout.code) == (["run"], 0)
    assert (checkout.root / "build-web/dist/index.html").exists()


def test_a_kill_in_mid_install_is_no_install(checkout):
    fake(checkout.bin, "npm", "mkdir -p web/node_modules; kill -9 $PPID\n")
    checkout.build()
    assert checkout.code == -signal.SIGKILL
    fake(checkout.bin, "npm", NPM)
    assert checkout.build() == ["ci", "run"]


def test_of_two_at_once_one_builds(checkout):
    both = [checkout.start() for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert sorted(checkout.asked()) == ["ci", "run"]


def test_without_a_registry_it_says_what_to_do(checkout):
    checkout.build(NPM_FAILS="1")
    assert checkout.code == 1
    assert "npm ERR! network" in checkout.said and "make run UI=disabled" in checkout.said
    assert "npm config set" in checkout.said


def test_an_old_node_is_replaced_and_a_damaged_one_too(checkout):
    fake(checkout.bin, "node", "exit 1\n")
    fake(checkout.bin, "new", "exit 0\n")
    assert checkout.build() == ["install", "ci", "run"]
    node = next((checkout.root / "build-web/node").rglob("node-linux-*/bin/node"))
    node.write_text("half a fi")
    (checkout.root / "web/apps/a page.vue").write_text("new\n")
    assert checkout.build() == ["install", "run"]


def test_a_command_gets_the_node_of_the_build(checkout):
    fake(checkout.bin, "node", "exit 1\n")
    fake(checkout.bin, "new", "exit 0\n")
    assert checkout.build("--with", "sh", "-c", "command -v node; exit 7") == ["install"]
    assert checkout.code == 7
    assert "build-web/node/node_modules/" in checkout.said


def test_a_build_without_a_page_is_none(checkout):
    fake(checkout.bin, "npm", NPM.replace("echo page >build-web/dist/index.html", "true"))
    checkout.build()
    assert checkout.code == 1
    assert not (checkout.root / "build-web/stamp").exists()
