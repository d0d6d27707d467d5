"""Every attack of attacks/ against a real launcher: sealed, its observation is exactly what its header
says, and the host is as before; with a defence switched off, which takes a build for tests, the
observation is another one, or the attack would prove nothing.

Environment: DOCLE_BUILD, the build under test, with DOCLE_ROOT_DIR, the sealed root of its addons;
DOCLE_TEST_HOOKS_BUILD, a build with -Dtest_hooks=true, when the first has no such switches. What is
missing is made.

The header of an attack, in comments at its top:
  outcome: how the launcher says that it ended; "exited 0" when left out
  expect:  the one line on standard output
  hits:    limits that it met
  limits:  of the run, as named in launcher.py
  stdin:   "terminal": standard input is one
  twice:   "same slot": run twice in one slot; the second is looked at
  without: defences to switch off together, joined by " + ", and after " -> ", when it matters, what
           is then seen, "outcome: line", with * for anything
"""

import fnmatch
import os
import pathlib
import re
import subprocess
import time

import pytest

from launcher import Launcher

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
LANGUAGES = {".py": "python", ".js": "node"}
HELPER = {"attack.py": (HERE / "attack.py").read_bytes()}
HELLO = {"python": "print('hello')", "node": "console.log('hello')"}
LIMIT_NOTE = re.compile(r"(\w+)=(\d+)")


class Attack:
    def __init__(self, path):
        self.name, self.code, self.lang = path.name, path.read_text(), LANGUAGES[path.suffix]
        notes = re.findall(r"^(?:#|//) ([a-z]+): ?(.*)$", self.code, re.M)
        says = dict(notes)
        self.outcome = says.get("outcome", "exited 0")
        self.line = says["expect"]
        self.hits = set(says.get("hits", "").split())
        self.limits = {key: int(number) for key, number in LIMIT_NOTE.findall(says.get("limits", ""))}
        self.terminal = says.get("stdin") == "terminal"
        self.twice = "twice" in says
        self.without = [self._split(note) for key, note in notes if key == "without"]

    @staticmethod
    def _split(note):
        names, _, seen = note.partition(" -> ")
        return tuple(names.split(" + ")), seen or None

    def run(self, launcher):
        files = HELPER if self.lang == "python" else None
        if not self.terminal:
            return launcher.run(self.code, self.lang, files=files, **self.limits)
        ours, theirs = os.openpty()
        try:
            return launcher.run(self.code, self.lang, files=files, stdin=theirs, **self.limits)
        finally:
            os.close(ours)
            os.close(theirs)

    def observe(self, launcher):
        """(what was seen, the run)"""
        ended = self.run(launcher)
        if self.twice:
            ended = self.run(launcher)
        return f"{ended.outcome}: {ended.out.strip()}", ended

    @property
    def expected(self):
        return f"{self.outcome}: {self.line}"


ATTACKS = [Attack(path) for path in sorted((HERE / "attacks").iterdir()) if path.suffix in LANGUAGES]
SWITCHED = [(attack, names, seen) for attack in ATTACKS for names, seen in attack.without]
SWITCHED.sort(key=lambda one: one[1])  # launchers are shared by neighbours


# --- builds, roots, launchers -----------------------------------------------------------------


def has_switches(build):
    program = build / "docle-launcher"
    return program.exists() and b"--without does not know" in program.read_bytes()


@pytest.fixture(scope="session")
def make_root(tmp_path_factory):
    """A sealed root from a build's addons. Every id must be able to walk to it."""

    def make(build):
        folder = tmp_path_factory.mktemp("root")
        for path in (folder, *folder.parents):
            if path.stat().st_uid == os.getuid() and path != pathlib.Path("/"):
                path.chmod(path.stat().st_mode | 0o055)
        subprocess.run([build / "src/runtimes/make-root", "--root-dir", folder, "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
        return folder

    return make


@pytest.fixture(scope="session")
def sealed(make_root):
    """(program, root) of the build under test."""
    build = pathlib.Path(os.environ.get("DOCLE_BUILD", TOP / "build")).resolve()
    return build / "docle-launcher", os.environ.get("DOCLE_ROOT_DIR") or make_root(build)


@pytest.fixture(scope="session")
def switched(make_root, sealed):
    """(program, root) of a build whose defences can be switched off."""
    if "DOCLE_TEST_HOOKS_BUILD" not in os.environ and has_switches(sealed[0].parent):
        return sealed
    build = pathlib.Path(os.environ.get("DOCLE_TEST_HOOKS_BUILD", TOP / "build-hooks")).resolve()
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", build, "-Dtest_hooks=true", "-Dtests=false"], cwd=TOP, check=True)
    targets = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    needed = re.findall(r"^(docle-launcher|src/runtimes/[^/:]+):", targets, re.M)
    subprocess.run(["ninja", "-C", build, "-j2", "--quiet", *needed], check=True)
    assert has_switches(build), f"{build} was set up without -Dtest_hooks=true"
    return build / "docle-launcher", make_root(build)


@pytest.fixture(scope="module")
def launcher(sealed):
    """One slot, so that every run follows another in it."""
    with Launcher(*sealed, slots=1) as one:
        yield one


@pytest.fixture(scope="module")
def weakened(switched):
    """Launchers by what is switched off; one at a time is alive."""
    alive = {}

    def get(names):
        if names not in alive:
            for old in alive.values():
                old.close()
            alive.clear()
            alive[names] = Launcher(*switched, without=names, slots=1)
        return alive[names]

    yield get
    for old in alive.values():
        old.close()


def check_host(launcher, mounts):
    """The host check."""
    assert launcher.host_leftovers() == []
    for lang, code in HELLO.items():
        ended = launcher.run(code, lang)
        assert (ended.outcome, ended.out) == ("exited 0", "hello\n"), ended
    assert launcher.host_leftovers() == []
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


# --- the attacks ------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_sealed(launcher, attack):
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    seen, ended = attack.observe(launcher)
    assert seen == attack.expected, ended
    assert ended.hits == attack.hits, ended
    check_host(launcher, mounts)


@pytest.mark.parametrize(("attack", "names", "wanted"), SWITCHED,
                         ids=[f"{attack.name}-{'+'.join(names)}" for attack, names, _ in SWITCHED])
def test_defence_is_what_stops_it(weakened, attack, names, wanted):
    seen, ended = attack.observe(weakened(names))
    assert seen != attack.expected, ended
    if wanted is None:  # a run that could not begin would differ, too, but show nothing
        assert not seen.startswith("sandbox_error"), ended
    else:
        assert fnmatch.fnmatchcase(seen, wanted), ended
