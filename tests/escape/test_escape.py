"""Every attack of attacks/ against a real launcher: sealed, its observation is exactly what its header
says, and the host is as before; with a defence switched off, which takes a build for tests, the
observation is another one, or the attack would prove nothing.

The header of an attack, in comments at its top:
  outcome: how the launcher says that it ended; "exited 0" when left out
  expect:  the one line on standard output
  hits:    limits that it met
  v2:      "outcome: line; hits", which may be seen instead where control groups v2 are in charge
  rootless: the same, where the launcher is an ordinary user's
  limits:  of the run, as named in launcher.py; the time to meet a limit in grows on slow machines
  stdin:   "terminal": standard input is one
  twice:   "same slot": run twice in one slot; the second is looked at
  without: defences to switch off together, joined by " + ", and after " -> ", when it matters, what
           is then seen, "outcome: line", with * for anything
  shown:   for tools/attacks: a defence that another test switches off
"""

import fnmatch
import os
import re

import pytest

from escape import HELPER, HERE, LANGUAGES
from launcher import SLOWNESS, Launcher

HAS_V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")  # there and not below: v2 alone
ROOTLESS = os.geteuid() != 0
LIMIT_NOTE = re.compile(r"(\w+)=(\d+)")


class Attack:
    def __init__(self, path):
        self.name, self.code, self.lang = path.name, path.read_text(), LANGUAGES[path.suffix]
        notes = re.findall(r"^(?:#|//) ([a-z0-9]+): ?(.*)$", self.code, re.M)
        says = dict(notes)
        self.outcome = says.get("outcome", "exited 0")
        self.line = says["expect"]
        self.hits = set(says.get("hits", "").split())
        self.limits = {key: int(number) for key, number in LIMIT_NOTE.findall(says.get("limits", ""))}
        if self.hits and "timeout_ms" in self.limits:
            self.limits["timeout_ms"] *= SLOWNESS
        self.terminal = says.get("stdin") == "terminal"
        self.twice = "twice" in says
        self.instead = [says[key] for key, here in (("v2", HAS_V2), ("rootless", ROOTLESS)) if here and key in says]
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

    @property
    def accepted(self):
        """Pairs of what may be seen and the hits that go with it."""
        pairs = [(self.expected, self.hits)]
        for note in self.instead:
            seen, _, hits = note.partition("; ")
            pairs.append((seen, set(hits.split())))
        return pairs


ATTACKS = [Attack(path) for path in sorted((HERE / "attacks").iterdir()) if path.suffix in LANGUAGES]
SWITCHED = [(attack, names, seen) for attack in ATTACKS for names, seen in attack.without]
SWITCHED.sort(key=lambda one: one[1])  # launchers are shared by neighbours


@pytest.fixture(scope="module")
def launcher(sealed, begin, aged):
    """One slot, so that every run follows another in it."""
    with Launcher(*sealed, slots=1) as one:
        yield begin(one)


@pytest.fixture(scope="module")
def weakened(switched, outer_network):
    """Launchers by what is switched off; one at a time is alive."""
    alive = {}

    def get(names):
        if names not in alive:
            for old in alive.values():
                old.close()
            alive.clear()
            before = outer_network if "service-netns" in names else ()
            alive[names] = Launcher(*switched, without=names, slots=1, before=before)
        return alive[names]

    yield get
    for old in alive.values():
        old.close()


# --- the attacks ------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_sealed(launcher, check_host, attack):
    seen, ended = attack.observe(launcher)
    assert (seen, ended.hits) in attack.accepted, ended
    check_host(launcher)


@pytest.mark.parametrize(("attack", "names", "wanted"), SWITCHED,
                         ids=[f"{attack.name}-{'+'.join(names)}" for attack, names, _ in SWITCHED])
def test_defence_is_what_stops_it(weakened, attack, names, wanted):
    for _ in range(5 if attack.twice else 1):  # what one run leaves may be gone before the next looks
        seen, ended = attack.observe(weakened(names))
        if seen != attack.expected:
            break
    assert seen != attack.expected, ended
    if wanted is None:  # a run that could not begin would differ, too, but show nothing
        assert not seen.startswith("sandbox_error"), ended
    else:
        assert fnmatch.fnmatchcase(seen, wanted), ended


@pytest.mark.parametrize("attack", [one for one in ATTACKS if any("landlock" in names for names, _ in one.without)],
                         ids=lambda attack: attack.name)
def test_standard_level_stops_it_as_well(weakened, attack):
    """Landlock repeats what other layers do: without it alone nothing is gained."""
    seen, ended = attack.observe(weakened(("landlock",)))
    assert seen == attack.expected, ended
