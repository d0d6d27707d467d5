"""The standard modules of Python and the built-in ones of Node, used for real: each program checks its own results
and prints "ok" at its end."""

import pathlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = sorted(HERE.glob("python/*.py")) + sorted(HERE.glob("node/*.*"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: f"{program.parent.name}-{program.stem}")
def test_module(sandbox, program):
    entrypoint = "main" + program.suffix
    result = sandbox.run(program.parent.name, {entrypoint: program.read_text()}, entrypoint)
    assert result["outcome"] == "ok", f"{result['outcome']}\n{result['stdout']}\n{result['stderr']}"
    assert "ok" in result["stdout"].splitlines()


def test_there_are_enough_programs():
    assert sum(p.parent.name == "python" for p in PROGRAMS) >= 50
    assert sum(p.parent.name == "node" for p in PROGRAMS) >= 40
