"""Attacks of one run on another at the same time, pairs/: both get the same file and read from the
file `role` which of the two they are. The first says "ready" and waits for the end of its standard
input, which comes when the second has ended; then it may print a line. Header as in test_escape.py;
further:
  expect:  the second's line
  first:   the first's line, after "ready"
  limits:  of both
  without: what is seen is the second's line, or with "first: " before it, the first's
"""

import fnmatch
import os
import pathlib
import re
import time

import pytest

from escape import HELPER, LANGUAGES
from launcher import PATIENCE_S, Launcher


class Pair:
    def __init__(self, path):
        self.name, self.code, self.lang = path.name, path.read_text(), LANGUAGES[path.suffix]
        notes = re.findall(r"^(?:#|//) ([a-z]+): ?(.*)$", self.code, re.M)
        self.expected = {"first": "", **{key: text for key, text in notes if key in ("expect", "first")}}
        limits = dict(notes).get("limits", "")
        self.limits = {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", limits)}
        self.without = []
        for key, note in notes:
            if key == "without":
                names, _, seen = note.partition(" -> ")
                self.without.append((tuple(names.split(" + ")), seen or None))

    def _start(self, launcher, role, **more):
        return launcher.start(self.code, self.lang, files={**HELPER, "role": role.encode()}, **self.limits, **more)

    def observe(self, launcher):
        """({"expect": the second's line, "first": the first's}, both runs)"""
        theirs, ours = os.pipe()
        try:
            first = self._start(launcher, "first", stdin=theirs)
            os.close(theirs)
            deadline = time.monotonic() + PATIENCE_S
            while b"ready\n" not in os.pread(first.out, 64, 0) and time.monotonic() < deadline:
                time.sleep(0.01)
            second = launcher.finish(self._start(launcher, "second"))
        finally:
            os.close(ours)
        first = launcher.finish(first)
        assert first.out.startswith("ready\n"), first
        return {"expect": second.out.strip(), "first": first.out.removeprefix("ready\n").strip()}, (first, second)


PAIRS = [Pair(path) for path in sorted((pathlib.Path(__file__).parent / "pairs").iterdir())
         if path.suffix in LANGUAGES]
SWITCHED = [(pair, names, seen) for pair in PAIRS for names, seen in pair.without]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_apart(pair_launcher, check_host, pair):
    seen, runs = pair.observe(pair_launcher)
    assert seen == pair.expected, runs
    assert [run.outcome for run in runs] == ["exited 0"] * 2, runs
    check_host(pair_launcher)


@pytest.fixture(scope="module")
def pair_launcher(sealed, begin):
    with Launcher(*sealed, slots=2) as launcher:
        yield begin(launcher)


@pytest.mark.parametrize(("pair", "names", "wanted"), SWITCHED,
                         ids=[f"{pair.name}-{'+'.join(names)}" for pair, names, _ in SWITCHED])
def test_defence_keeps_apart(switched, pair, names, wanted):
    with Launcher(*switched, without=names, slots=2) as launcher:
        seen, runs = pair.observe(launcher)
    assert seen != pair.expected, runs
    assert [run.outcome for run in runs] == ["exited 0"] * 2, runs
    if wanted and wanted.startswith("first: "):
        assert fnmatch.fnmatchcase(seen["first"], wanted.removeprefix("first: ")), runs
    elif wanted:
        assert fnmatch.fnmatchcase(seen["expect"], wanted), runs


def test_standard_level_keeps_apart(switched):
    """Without Landlock alone the network namespace still hides abstract names."""
    pair = next(one for one in PAIRS if one.name == "v02_abstract.py")
    with Launcher(*switched, without=["landlock"], slots=2) as launcher:
        seen, runs = pair.observe(launcher)
    assert seen == pair.expected, runs
