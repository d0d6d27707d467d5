"""Runtimes whose zygote cannot serve: the same programs, started plainly in the same sandbox."""

import json
import os
import subprocess

import pytest

from conftest import BUILD, DOCLE, PATIENCE_S

PROGRAMS = {
    "hello.py": ("import sys; print('hello', sys.argv, __file__)",
                 "hello ['/workspace/hello.py', 'one'] /workspace/hello.py\n"),
    "hello.js": ("console.log('hello', process.argv.slice(1), __filename)",
                 "hello [ '/workspace/hello.js', 'one' ] /workspace/hello.js\n"),
    "hello.mjs": ("import fs from 'fs'; console.log(await 'hello', typeof fs)", "hello object\n"),
    "undeclared.js": ("import fs from 'fs'; console.log(await 'hello', typeof fs)", "hello object\n"),
    "typed.ts": ("import fs from 'fs'; const n: number = await 3; console.log(n, typeof fs)", "3 object\n"),
}


@pytest.fixture(scope="module")
def root_dir(tmp_path_factory):
    """A root without zygotes."""
    folder = tmp_path_factory.mktemp("plain")
    done = subprocess.run([BUILD / "src/runtimes/make-root", "--quiet", "--root-dir", folder], text=True,
                          capture_output=True, check=True, timeout=300)
    conf = os.path.join(done.stdout.strip(), "runtimes.conf")
    with open(conf, encoding="utf-8") as file:
        lines = [line.split("\t") for line in file]
    with open(conf, "w", encoding="utf-8") as file:
        file.writelines("\t".join([*line[:2], "-", *line[3:]]) for line in lines)
    return folder


@pytest.mark.parametrize("name", PROGRAMS)
def test_plain_start(root_dir, tmp_path, name):
    code, expected = PROGRAMS[name]
    (tmp_path / name).write_text(code)
    done = subprocess.run([DOCLE, "run", "--json", "--timeout-ms", str(PATIENCE_S * 1000), "--root-dir", root_dir,
                           tmp_path / name, "--", "one"], text=True, capture_output=True, check=False,
                          timeout=2 * PATIENCE_S, env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]})
    result = json.loads(done.stdout)
    assert (result["outcome"], result["stdout"]) == ("ok", expected), result["stderr"]
