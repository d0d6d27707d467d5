"""A program in a fork of a zygote prints, fails and ends exactly as in a fresh interpreter in the same sandbox."""

import re

import pytest

from programs import NODE, PYTHON

# A start-up variable makes the fork replace itself by a fresh interpreter.
FRESH = {"python": {"PYTHON_FRESH": "1"}, "node": {"NODE_FRESH": "1"}}
CASES = [("python", "main.py", case) for case in PYTHON] + [("node", "main.js", case) for case in NODE]
COMPARED = ("outcome", "exitCode", "signal", "stdout", "stderr")


def seen(sandbox, lang, name, case, env):
    files = {name: case["code"], **case["files"]}
    result = sandbox.run(lang, files, name, stdin=case["stdin"], env=env)
    result["stderr"] = re.sub("0x[0-9a-f]{6,}", "0xADDRESS", result["stderr"])
    return {field: result.get(field) for field in COMPARED}


@pytest.mark.parametrize(("lang", "name", "case"), CASES,
                         ids=lambda value: value["code"][:40] if isinstance(value, dict) else None)
def test_like_a_fresh_interpreter(sandbox, lang, name, case):
    name = case["name"] or name
    forked = seen(sandbox, lang, name, case, {})
    assert forked == seen(sandbox, lang, name, case, FRESH[lang])


def test_nothing_written_is_lost_at_exit(sandbox):
    """Unlike node on a pipe, which loses what the pipe has no room for."""
    for lang, name, code in (("node", "main.js", "process.stdout.write('x'.repeat(900000)); process.exit(0)"),
                             ("python", "main.py", "import sys; sys.stdout.write('x' * 900000); sys.exit(0)")):
        assert len(sandbox.run(lang, {name: code}, name)["stdout"]) == 900000
