"""Spares with packages: code of packages that nobody vouched for is imported ahead of the run that wants it, in a
process that is sealed already. It is as bad as it can be here, and gets nothing."""

import json
import os
import pathlib
import tempfile
import time

import pytest

from launcher import WARM_MAX, Launcher

MINE, THEIRS = b"m" * 16, b"t" * 16
STATE = """
import os, json, socket, ctypes
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
libc = ctypes.CDLL(None, use_errno=True)
def fails(act):
    try:
        act()
        return False
    except OSError:
        return True
def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
at_import = {
    "caps": [status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "seccomp": status["Seccomp"].strip(), "privileges": status["NoNewPrivs"].strip(),
    "uid": os.getuid(), "pid": os.getpid(), "cwd": os.getcwd(), "environment": dict(os.environ),
    "user map": open("/proc/self/uid_map").read().split(),
    "namespaces": {name: os.readlink("/proc/self/ns/" + name) for name in ("user", "mnt", "net", "pid", "ipc", "uts")},
    "unshare": fails(lambda: call(272, 0x10000000)), "mount": fails(lambda: call(165, b"x", b"/tmp", b"tmpfs", 0, None)),
    "setns": fails(lambda: call(308, os.open("/proc/self/ns/mnt", os.O_RDONLY), 0)),
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "layer": fails(lambda: open(__file__, "r+")),
}
"""
# Descriptors that are sockets: the one to the launcher.
SOCKETS = """
import os, socket, struct, stat
def sockets():
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            pass
def say(kind, body=b"", fds=0):
    for fd in sockets():
        os.write(fd, struct.pack("=BBHI", 1, kind, fds, len(body)) + body)
"""
# struct dc_err of a failure of ours, which nobody is billed for. Types: src/proto/spawn.h.
FAILED, PREPARED, READY = range(52, 55), range(53, 56), range(51, 54)
PYTHON = {
    "good": "value = 'good'\n",
    "state": STATE,
    "talker": "print('Hello from the community')\n",
    "quitter": "import os\nos._exit(0)\n",
    "raiser": "raise ValueError('no')\n",
    "sleeper": "import time\ntime.sleep(3600)\n",
    "spinner": "import os\nif os.fork() == 0:\n    while True:\n        pass\n",
    "hoarder": "x = []\nwhile True:\n    x.append(bytearray(b'x') * (16 << 20))\n",
    "forker": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(3600)\n",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n",
    "liar": SOCKETS + "say(CHILD_READY)\n",
    "flooder": SOCKETS + "if os.fork() == 0:\n    while True:\n        try:\n            say(1)\n"
               "        except OSError:\n            pass\n",
    "marker": "import os\nopen('/tmp/mark', 'w').write('x')\nopen('/workspace/left.py', 'w').write('x')\n",
    # Says that it is ready, takes the job itself, and fails it as if that were the sandbox's doing.
    "thief": SOCKETS + """
import array
fd = next(sockets())
say(PREPARED)
link = socket.socket(fileno=os.dup(fd))
data, rights, _, _ = link.recvmsg(4096, socket.CMSG_SPACE(8 * 4))
try:
    say(FAILED, struct.pack("=Ii248s", 5, 0, b"the sandbox broke"))
except OSError:
    pass
os._exit(125)
""",
}


def types():
    """The numbers of the messages, as the header has them."""
    text = (pathlib.Path(__file__).parents[2] / "src/proto/spawn.h").read_text()
    names = [line.split()[0].rstrip(",") for line in text.split("enum spawn_type {")[1].split("};")[0].splitlines()
             if line.strip().startswith(("NURSERY_", "INIT_", "ZYGOTE_", "CHILD_"))]
    return {name: 32 + i for i, name in enumerate(names)}


def layer_of(name):
    return name.encode().ljust(16, b"\1")


@pytest.fixture(scope="module")
def layers():
    numbers = types()
    with tempfile.TemporaryDirectory(prefix="docle-layers-") as private:
        top = pathlib.Path(private, "layers")
        for name, code in PYTHON.items():
            tree = top / layer_of(name).hex() / "tree"
            info = tree / f"{name}-1.dist-info"
            info.mkdir(parents=True)
            for kind in ("FAILED", "PREPARED"):
                code = code.replace(f"say({kind}", f"say({numbers['CHILD_' + kind]}")
            (tree / f"{name}.py").write_text(code.replace("CHILD_READY", str(numbers["CHILD_READY"])))
            (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
            (info / "top_level.txt").write_text(name)
        node = top / layer_of("node").hex() / "tree"
        (node / "esm").mkdir(parents=True)
        (node / "common").mkdir()
        (node / "common/index.js").write_text("module.exports = { cpus: require('os').cpus().length, pid: process.pid,"
                                              " cwd: process.cwd() }")
        (node / "esm/package.json").write_text('{"name":"esm","type":"module","exports":"./i.mjs"}')
        (node / "esm/i.mjs").write_text("export default 'esm'")
        pathlib.Path(private).chmod(0o755)
        yield top


@pytest.fixture
def launcher(sealed, layers):
    program, root = sealed
    options = ["--layers", str(layers), "--prepared", "2", "--warm-mb", "256", "--spares=python=1", "--spares=node=1",
               "--debug"]
    with Launcher(program, root, options=options) as made:
        yield made


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def made(launcher, times=1, number=WARM_MAX):
    wait_for(lambda: launcher.log().count(f"set {number} has a spare") >= times)


def failed(launcher, why, times=1):
    wait_for(lambda: launcher.log().count(why) >= times)


def run(launcher, name, code, owner=MINE, **more):
    return launcher.run(code, layer=layer_of(name), owner=owner, **more)


def was_imported(launcher, name, owner=MINE, **more):
    ended = run(launcher, name, f"import sys; print({name!r} in sys.modules); import {name}", owner, **more)
    assert ended.outcome == "exited 0", ended
    return ended.out == "True\n"


def test_it_is_imported_ahead(launcher):
    assert not was_imported(launcher, "good")
    launcher.prepare(layer_of("good"), "good", MINE)
    for times in (1, 2, 3):
        made(launcher, times)
        assert was_imported(launcher, "good")


def test_one_owner_alone(launcher):
    """Neither another one's run nor that of nobody in particular, and the owner's still gets it afterwards."""
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    assert not was_imported(launcher, "good", THEIRS)
    assert not was_imported(launcher, "good", b"")
    assert was_imported(launcher, "good")


def test_other_packages_and_limits(launcher):
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    assert not was_imported(launcher, "threads")
    assert not was_imported(launcher, "good", memory_mb=128)
    assert not was_imported(launcher, "good", disk_mb=32)
    assert was_imported(launcher, "good", memory_mb=300, disk_mb=64)


def test_the_import_is_sealed(launcher):
    """What the package could do when it was imported: as much as a run, in the run's own namespaces."""
    launcher.prepare(layer_of("state"), "state", MINE)
    made(launcher)
    code = ("import sys; ahead = 'state' in sys.modules\nimport state, json, os\n"
            "same = state.at_import['namespaces'] == {name: os.readlink('/proc/self/ns/' + name)"
            " for name in state.at_import['namespaces']}\nprint(json.dumps([ahead, same, state.at_import]))")
    ahead, same, at_import = json.loads(run(launcher, "state", code).out)
    assert ahead and same
    assert set(at_import["caps"]) == {"0000000000000000"}
    assert (at_import["seccomp"], at_import["privileges"]) == ("2", "1")
    assert (at_import["uid"], at_import["cwd"]) == (1000, "/workspace")
    assert all(at_import[name] for name in ("unshare", "mount", "setns", "layer"))
    assert at_import["processes"] == [at_import["pid"]]
    assert set(at_import["environment"]) == {"HOME", "PATH", "LANG"}
    plain = "import os, json; print(json.dumps({n: os.readlink('/proc/self/ns/' + n) for n in ('user', 'mnt', 'net')}))"
    other = json.loads(launcher.run(plain).out)
    assert all(other[name] != at_import["namespaces"][name] for name in other)


def test_it_looks_like_any_run(launcher):
    report = ("import os, sys; print(os.getpid(), sys.argv, sys.path[0], sys.orig_argv, sorted(os.environ.items()),"
              " os.getcwd(), len(os.listdir('/proc/self/fd')), [l.split()[1] for l in open('/proc/self/status')"
              " if l.startswith(('Cap', 'Seccomp:', 'NoNewPrivs', 'Threads'))], sys.stdout.encoding, __name__, __file__)")
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    ahead = run(launcher, "good", "import sys; assert 'good' in sys.modules\n" + report)
    plain = run(launcher, "good", report, THEIRS)
    assert ahead.outcome == plain.outcome == "exited 0"
    assert ahead.out == plain.out


def test_own_modules_come_first(launcher):
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    ended = run(launcher, "good", "import good; print(good.value)", files={"good.py": b"value = 'own'"})
    assert ended.out == "own\n"
    made(launcher, 2)
    ended = run(launcher, "good", "import good, deep.main; print(good.value)",
                files={"deep/main.py": b"import good", "deep/good/__init__.py": b"value = 'own'"})
    assert ended.out == "good\n"


def test_billing_begins_with_the_run(launcher):
    """The import is nobody's CPU time, and the deadline counts from the run's start."""
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    time.sleep(1)
    ended = run(launcher, "good", "import time; time.sleep(0.2)", timeout_ms=20000)
    assert ended.outcome == "exited 0" and 0.2e9 <= ended.wall_ns < 19e9


@pytest.mark.parametrize("name, why", [
    ("talker", "it ended"), ("quitter", "it ended"), ("raiser", "it ended"), ("liar", "it said what it must not"),
    ("hoarder", "it ended"), ("flooder", "it said what it must not"),
])
def test_what_is_given_up(launcher, name, why):
    """Three times, then no more; runs import it themselves and see what happens."""
    launcher.prepare(layer_of(name), name, MINE)
    failed(launcher, why, 3)
    failed(launcher, "there is none any more")
    assert launcher.log().count("set 8: ") == 3
    assert f"set {WARM_MAX} has a spare" not in launcher.log() or name == "flooder"
    assert run(launcher, name, "print(1)").outcome == "exited 0"
    assert launcher.run("print(1)").out == "1\n"


def test_one_that_does_not_rest(launcher):
    launcher.prepare(layer_of("spinner"), "spinner", MINE)
    failed(launcher, "its packages do not rest", 3)
    failed(launcher, "there is none any more")
    assert launcher.log().count("set 8: ") == 3
    assert launcher.run("print(1)").out == "1\n"


def test_one_that_does_not_end(launcher):
    launcher.prepare(layer_of("sleeper"), "sleeper", MINE)
    failed(launcher, "its packages are not imported in time")
    assert run(launcher, "sleeper", "print(1)").out == "1\n"


def test_threads_stay_and_processes_go(launcher):
    """Threads are the run's own, as nobody forks it; what it leaves behind ends with the run."""
    launcher.prepare(layer_of("threads"), "threads", MINE)
    made(launcher)
    ended = run(launcher, "threads", "import threading, sys; print('threads' in sys.modules, threading.active_count())")
    assert ended.out == "True 2\n"
    launcher.prepare(layer_of("forker"), "forker", MINE, number=WARM_MAX + 1)
    made(launcher, number=WARM_MAX + 1)
    assert was_imported(launcher, "forker")
    before = {pid for pid, _ in launcher.slot_processes()}
    launcher.prepare(layer_of("good"), "good", MINE, number=WARM_MAX + 1)
    launcher.prepare(layer_of("good"), "good", MINE)
    # All but the two spares without packages.
    wait_for(lambda: len(before & {pid for pid, _ in launcher.slot_processes()}) <= 2)


def test_an_outcome_cannot_be_forged(launcher):
    """A package that takes the job and says that the sandbox failed: that is the program's end, and is billed."""
    launcher.prepare(layer_of("thief"), "thief", MINE)
    made(launcher)
    ended = run(launcher, "thief", "print('never')")
    assert ended.outcome == "exited 125" and ended.out == "", ended
    assert launcher.run("print(1)").out == "1\n"


def test_one_that_left_costs_the_run_nothing(launcher):
    """It says that it is ready and ends before it gets a job."""
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    for pid, _ in launcher.slot_processes():
        if "overlay packages" in pathlib.Path(f"/proc/{pid}/mountinfo").read_text():
            os.kill(int(pid), 9)
            wait_for(lambda: pid not in [one for one, _ in launcher.slot_processes()])
    assert run(launcher, "good", "print(1)").out == "1\n"


def test_nothing_stays(launcher):
    """What an import left in the file system is gone with its slot."""
    launcher.prepare(layer_of("marker"), "marker", MINE)
    made(launcher)
    look = "import os; print(os.listdir('/tmp'), sorted(os.listdir('/workspace')))"
    assert launcher.run(look).out == "[] ['main.py']\n"
    assert run(launcher, "marker", look).out == "['mark'] ['left.py', 'main.py']\n"
    for _ in range(4):
        assert launcher.run(look).out == "[] ['main.py']\n"


def test_it_is_replaced(launcher):
    """The spare of a set that is named again goes, whatever it waits for."""
    launcher.prepare(layer_of("good"), "good", MINE)
    made(launcher)
    launcher.prepare(layer_of("good"), "good", THEIRS)
    assert not was_imported(launcher, "good", MINE)
    made(launcher, 2)
    assert was_imported(launcher, "good", THEIRS)


def test_memory(sealed, layers):
    """What does not fit gives way, the longest unused first."""
    program, root = sealed
    options = ["--layers", str(layers), "--prepared", "2", "--warm-mb", "1", "--spares=python=1", "--debug"]
    with Launcher(program, root, options=options) as launcher:
        launcher.prepare(layer_of("good"), "good", MINE)
        made(launcher)
        launcher.prepare(layer_of("threads"), "threads", MINE, number=WARM_MAX + 1)
        failed(launcher, f"packages of set {WARM_MAX} give way")
        assert not was_imported(launcher, "good")


def test_no_more_than_the_operator_says(sealed, layers):
    program, root = sealed
    for options, number, owner in (([], WARM_MAX, MINE), (["--prepared", "1"], WARM_MAX + 1, MINE),
                                   (["--prepared", "1"], WARM_MAX, b""), (["--prepared", "1"], 0, MINE)):
        with Launcher(program, root, options=["--layers", str(layers), "--warm-mb", "256", *options]) as launcher:
            assert launcher.run("print(1)").out == "1\n"
            launcher.prepare(layer_of("good"), "good", owner, number)
            with pytest.raises(AssertionError):
                launcher.run("print(1)")
            assert "WARM with a field out of range" in launcher.log()


def test_node(launcher):
    launcher.prepare(layer_of("node"), "common esm", MINE, lang="node")
    made(launcher)
    code = ("console.log(Object.keys(require.cache).includes('/node_modules/common/index.js'), process.env.HOME,"
            " require('common').cpus === require('os').cpus().length, require('common').pid === process.pid,"
            " require('common').cwd); import('esm').then((m) => console.log(m.default))")
    ended = run(launcher, "node", code, lang="node")
    assert ended.out == "true /workspace true true /workspace\nesm\n", ended
    report = ("console.log(process.pid, process.argv.join(), process.execArgv.length, process.cwd(), process.uptime() < 5,"
              " require('fs').readdirSync('/proc/self/fd').length, Object.keys(process.env).sort().join())")
    made(launcher, 2)
    assert run(launcher, "node", report, lang="node").out == run(launcher, "node", report, THEIRS, lang="node").out
