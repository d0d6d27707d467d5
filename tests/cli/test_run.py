"""docle run."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import DOCLE, PATIENCE_S, docle, environment, wait_for

HELLO = {"python": ("main.py", "print('hi', 6 * 7)"), "node": ("main.js", "console.log('hi', 6 * 7)")}


@contextlib.contextmanager
def running(*arguments, **more):
    """`docle run` while it runs."""
    with subprocess.Popen([DOCLE, "run", *arguments], env=environment(), stdout=subprocess.PIPE,
                          text=True, **more) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("lang", HELLO)
def test_a_file(folder, lang):
    name, code = HELLO[lang]
    (folder / name).write_text(code)
    done = docle("run", folder / name, check=0)
    assert (done.stdout, done.stderr) == ("hi 42\n", "")


@pytest.mark.parametrize("lang", HELLO)
def test_standard_input_is_code(lang):
    assert docle("run", "-", "--lang", lang, stdin=HELLO[lang][1], check=0).stdout == "hi 42\n"


def test_standard_input_needs_a_language():
    assert "--lang" in docle("run", "-", stdin="print()", check=125).stderr


def test_a_folder_with_modules(folder):
    (folder / "lib").mkdir()
    (folder / "lib" / "answer.js").write_text("module.exports = 42")
    (folder / "x.js").write_text("console.log(require('./lib/answer'), process.cwd())")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "list.js").write_text("console.log(require('fs').readdirSync('.').sort().join())")
    assert docle("run", folder, "--entrypoint", "x.js", check=0).stdout == "42 /workspace\n"
    shown = docle("run", str(folder) + "/", "--entrypoint", "list.js", check=0).stdout
    assert shown == "lib,list.js,x.js\n"
    assert "none.js" in docle("run", folder, "--entrypoint", "none.js", check=125).stderr


def test_a_folder_says_its_language_by_main(folder):
    (folder / "helper.js").write_text("")
    (folder / "main.py").write_text("print('python')")
    assert docle("run", folder, check=0).stdout == "python\n"


def test_arguments_environment_and_input():
    code = "import sys, os; print(sys.argv[1:], os.environ['A'], sys.stdin.read())"
    done = docle("run", "main.py", "--arg", "one", "-e", "A=b c", "--stdin", "-", "--", "two", "--json",
                 stdin="input", check=125)
    assert "main.py" in done.stderr  # no such file: the rest was understood
    with open("/tmp/docle-cli-main.py", "w", encoding="utf-8") as file:
        file.write(code)
    try:
        done = docle("run", "/tmp/docle-cli-main.py", "--arg", "one", "-e", "A=b c", "--stdin", "-",
                     "--", "two", "--json", stdin="input", check=0)
    finally:
        os.unlink("/tmp/docle-cli-main.py")
    assert done.stdout == "['one', 'two', '--json'] b c input\n"


def test_our_environment_stays_outside():
    code = "import os; print('SECRET' in os.environ, os.environ['HOME'])"
    assert docle("run", "-", "-l", "python", stdin=code, SECRET="x", check=0).stdout == "False /tmp\n"


@pytest.mark.parametrize("code, status", [
    ("raise SystemExit(7)", 7), ("import os; os._exit(255)", 255), ("1/0", 1),
    ("import os; os.kill(os.getpid(), 15)", 143), ("import os; os.abort()", 134),
])
def test_the_exit_code_is_the_programs(code, status):
    docle("run", "-", "-l", "python", stdin=code, check=status)


def test_time_is_limited():
    done = docle("run", "-", "-l", "python", "--timeout-ms", "300",
                 stdin="print('before', flush=True)\nwhile True: pass", check=124)
    assert done.stdout == "before\n"
    assert "timeout" in done.stderr


def test_memory_is_limited():
    done = docle("run", "-", "-l", "python", "--memory-mb", "64",
                 stdin="x = b''\nwhile True: x += b'x' * 1048576", check=137)
    assert "memory" in done.stderr


def test_json_is_the_apis(folder):
    done = docle("run", "-", "-l", "node", "--json", stdin="console.log(1); process.exit(3)", check=3)
    result = json.loads(done.stdout)
    assert {"id", "ok", "exitCode", "stdout", "stderr", "usage", "createdAt", "outcome"} <= set(result)
    assert (result["ok"], result["exitCode"], result["stdout"]) == (False, 3, "1\n")
    assert result["outcome"] == "error"
    assert set(result["usage"]) >= {"cpuMs", "memMB", "durationMs"}


@pytest.mark.parametrize("flags, said", [
    (["--timeout-ms", "99"], "timeoutMs"), (["--memory-mb", "9999"], "memoryMB"),
    (["--cpus", "0.01"], "cpus"), (["--disk-mb", "0"], "diskMB"),
    (["--max-processes", "0"], "maxProcesses"), (["--max-output-bytes", "1"], "maxOutputBytes"),
    (["--env", "no-equals"], "env"), (["--timeout-ms", "soon"], "--timeout-ms"),
    (["--lang", "perl"], "neither python nor node"),
])
def test_mistakes_are_named(flags, said):
    done = docle("run", "-", "--lang", "python", *flags, stdin="print()", check=125)
    assert said in done.stderr
    assert not done.stdout


def test_output_comes_as_it_is_written(folder):
    (folder / "main.py").write_text(
        "import sys\nprint('first', flush=True)\nprint('second', file=sys.stderr, flush=True)\n"
        "import time\ntime.sleep(250)\n")
    with running("--timeout-ms", "300000", folder / "main.py", stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == "first\n"
        assert process.stderr.readline() == "second\n"
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130


def descendants(pid):
    """Of a process that lives: pids of its children and theirs."""
    found = []
    for child in open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split():
        found += [int(child), *descendants(int(child))]
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(folder, number):
    (folder / "main.py").write_text("import time\nprint('on', flush=True)\ntime.sleep(250)\n")
    with running("--timeout-ms", "300000", folder / "main.py") as process:
        assert process.stdout.readline() == "on\n"
        family = descendants(process.pid)
        assert len(family) >= 3  # keeper, launcher, nursery at least
        process.send_signal(number)
        process.wait(PATIENCE_S)
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), f"{family} end")


def test_a_closed_pipe_ends_the_run(folder):
    (folder / "main.py").write_text("while True: print('x' * 1000)\n")
    start = time.monotonic()
    done = subprocess.run(["sh", "-c", f"{DOCLE} run --timeout-ms 300000 {folder}/main.py | head -n 1"],
                          env=environment(), capture_output=True, text=True, check=True,
                          timeout=PATIENCE_S * 2)
    assert done.stdout == "x" * 1000 + "\n"
    assert time.monotonic() - start < 290


def test_artifacts(folder):
    (folder / "main.py").write_text(
        "import os\nos.makedirs('out/deep')\nopen('out/a.txt', 'w').write('A')\n"
        "open('out/deep/b.bin', 'wb').write(bytes(range(256)))\nopen('no.txt', 'w').write('no')\n")
    kept = folder / "kept"
    docle("run", folder / "main.py", "--artifact", "out/**", "--artifacts-dir", kept, check=0)
    files = {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*")
             if path.is_file()}
    assert files == {"out/a.txt": b"A", "out/deep/b.bin": bytes(range(256))}


def test_artifacts_follow_no_link(folder):
    kept, aim = folder / "kept", folder / "aim"
    kept.mkdir()
    aim.mkdir()
    (kept / "out").symlink_to(aim)
    (folder / "main.py").write_text("import os\nos.mkdir('out')\nopen('out/a', 'w').write('A')\n")
    done = docle("run", folder / "main.py", "--artifact", "out/*", "--artifacts-dir", kept, check=125)
    assert "out" in done.stderr
    assert list(aim.iterdir()) == []


def test_the_log_stays_out_of_standard_error():
    code = "import sys; sys.stderr.write('mine\\n')"
    assert docle("run", "-", "-l", "python", stdin=code, check=0).stderr == "mine\n"
