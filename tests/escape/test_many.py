"""Attacks that take many runs, or a look at what the launcher counted."""

import json
import os
import pathlib
import subprocess
import time

import pytest

from escape import HELLO, HELPER, HERE
from launcher import PATIENCE_S, Launcher

RANDOM = {
    "python": "import os, random, secrets, ssl, tempfile, uuid\n"
              "print(os.urandom(16).hex(), ssl.RAND_bytes(16).hex(), random.random(), uuid.uuid4(),\n"
              "      secrets.token_hex(), tempfile.mktemp(), random.SystemRandom().random())",
    "node": "const c = require('crypto'), fs = require('fs');\n"
            "console.log(c.randomBytes(16).toString('hex'), c.randomUUID(), Math.random(),\n"
            "  c.getRandomValues(new Uint32Array(4)).join('-'), fs.mkdtempSync('/tmp/x'),\n"
            "  crypto.randomUUID(), c.generateKeyPairSync('ed25519').publicKey.export({format: 'jwk'}).x)",
}


WHO = {"python": "import os\nprint(os.getpid())\n", "node": "console.log(process.pid);\n"}
# Columns of the above.
LANGUAGE_OWN = {"python": {2}, "node": {2}}
OPENSSL = {"python": set(), "node": {0, 1, 3, 5, 6}}  # in Python nothing drew from it before the fork


def count_columns(rows):
    """How many different values each kind of random number had."""
    assert {len(row) for row in rows} == {7}, rows[0]
    return [len(set(column)) for column in zip(*rows, strict=True)]


def columns(launcher, lang, runs):
    return count_columns([launcher.run(RANDOM[lang], lang).out.split() for _ in range(runs)])


def same_columns(counts):
    return {i for i, count in enumerate(counts) if count == 1}


def columns_as_zygote(launcher, lang, runs):
    """The same by runs that have the process id which their zygote has in its own namespace."""
    rows = []
    wanted = launcher.zygote_number(lang)
    for _ in range(20 * runs):
        launcher.set_last_pid(wanted - 1)
        pid, *row = launcher.run(WHO[lang] + RANDOM[lang], lang).out.split()
        if pid == str(wanted):
            rows.append(row)
        if len(rows) == runs:
            break
    return count_columns(rows)


@pytest.fixture(scope="module")
def launcher(sealed, begin, aged):
    with Launcher(*sealed, slots=2) as one:
        yield begin(one)


@pytest.mark.parametrize("lang", ["python", "node"])
def test_random_numbers_are_never_alike(launcher, check_host, lang):
    """Z-01, Z-02: a hundred runs forked from one process."""
    assert columns(launcher, lang, 100) == [100] * 7
    check_host(launcher)


@pytest.mark.parametrize("lang", ["python", "node"])
def test_random_numbers_differ_with_the_zygotes_own_number(sealed, begin, check_host, lang):
    """Z-05: runs whose process id is the zygote's, by which OpenSSL would not notice a fork."""
    with Launcher(*sealed, slots=1) as one:
        begin(one)
        assert columns_as_zygote(one, lang, 20) == [20] * 7
        check_host(one)


@pytest.mark.parametrize("lang", ["python", "node"])
def test_reseeding_makes_them_differ(switched, lang):
    """Z-01, Z-02 without their defence: the generators of the language are the fork's; those of OpenSSL notice
    it by the process id, and so do not in the case of Z-05."""
    with Launcher(*switched, without=["reseed"], slots=1) as weak:
        assert LANGUAGE_OWN[lang] <= same_columns(columns(weak, lang, 5))
        assert LANGUAGE_OWN[lang] | OPENSSL[lang] <= same_columns(columns_as_zygote(weak, lang, 5))


def test_slots_are_used_again_by_strangers(launcher, check_host, sealed):
    """L-03: the same few slots lent again and again; F-24, V-08 and the ids hold each time."""
    names = ("f24_leftovers.py", "v08_network_counters.py", "z13_ids.py", "z09_descriptors.py")
    codes = [(HERE / "attacks" / name).read_text() for name in names]
    wanted = ["[] [] ['attack.py', 'main.py']", "0 0 pong", "2 0 1000 1000 1000 []", "0 1 2"]
    for _ in range(20):
        started = [launcher.start(code, files=HELPER) for code in codes[:2]]
        ended = [launcher.finish(one) for one in started]
        started = [launcher.start(code, files=HELPER) for code in codes[2:]]
        ended += [launcher.finish(one) for one in started]
        assert [one.out.strip() for one in ended] == wanted, ended
    check_host(launcher)


def test_many_runs_leave_the_zygotes_as_they_were(launcher, check_host, aged):
    """M-20, Z-17: nothing grows, whatever the runs do; tests/soak/run does it for ten minutes."""
    programs = [("python", "import xml.dom.minidom, subprocess\nsubprocess.run(['/bin/true'])\nopen('f', 'w').write('x' * 10**6)"),
                ("node", "const all = []; for (let i = 0; i < 1e5; i++) all.push({ i }); require('fs').writeFileSync('f', 'x')"),
                ("python", "import os\nos.abort()"), ("node", "process.abort()")]
    looks = []
    for _ in range(3):
        for i in range(60):
            lang, code = programs[i % len(programs)]
            launcher.run(code, lang)
        looks.append((launcher.steady_shape(launcher.first_shape), launcher.zygote_memory()))
    assert [shape for shape, _ in looks] == [launcher.first_shape] * 3
    for pid, (mappings, resident_kb) in looks[0][1].items():
        assert looks[2][1][pid][0] == mappings
        assert looks[2][1][pid][1] <= resident_kb + 1024
    check_host(launcher)


CRASHES = [
    ("require('v8').setFlagsFromString('--allow-natives-syntax');\nnew Function('%SystemBreak()')();", "signalled 5"),
    ("process.abort()", "signalled 6"),
    ("process.kill(process.pid, 'SIGSEGV')", "signalled 11"),
    ("process.kill(process.pid, 'SIGKILL')", "signalled 9"),
    ("const f = () => f() + 1;\nf();", "exited 1"),
]


def test_crashes_do_not_reach_the_zygote(launcher, check_host):
    """Z-12: crashes of V8 by the dozen; the same zygotes serve on."""
    before = launcher.zygotes()
    for i in range(40):
        code, outcome = CRASHES[i % len(CRASHES)]
        ended = launcher.run(code, "node")
        assert ended.outcome == outcome, (code, ended)
    assert launcher.zygotes() == before
    check_host(launcher)


def test_old_zygotes_still_serve_node(aged, check_host):
    """Runs of a zygote that is older than any timer it was born with end as those of a young one."""
    old, born = aged
    time.sleep(max(0, born + 21 - time.monotonic()))
    for code, out in (
        ("setTimeout(() => console.log('late'), 20); console.log('now')", "now\nlate\n"),
        ("console.log('now')", "now\n"),
        ("require('fs').promises.readFile('main.js').then((b) => console.log(b.length > 9))", "true\n"),
    ):
        ended = old.run(code, "node")
        assert (ended.outcome, ended.out) == ("exited 0", out), ended
    check_host(old)


def test_spawns_do_not_hold_up_others(launcher, check_host):
    """P-24: while one run starts programs as fast as it can, others begin and end as ever."""
    storm = launcher.start((HERE / "attacks" / "p24_spawns.py").read_text())
    launcher.await_start(storm)
    for lang in HELLO:
        ended = launcher.run(HELLO[lang], lang)
        assert (ended.outcome, ended.out) == ("exited 0", "hello\n"), ended
    assert launcher.finish(storm).out == "True\n"
    check_host(launcher)


HOSTILE_FILES = {
    "python": ["python3", "sitecustomize.py", "usercustomize.py", "encodings/__init__.py", "os.py", "_docle.py",
               "pyvenv.cfg", "python311._pth", ".pythonrc"],
    "node": ["node", "node_modules/fs/index.js", "node_modules/.hooks.js", ".noderc", ".env", "node.config.json",
             "docle.node", "bootstrap.js"],
}


@pytest.mark.parametrize(("lang", "code"), ids=["python", "node"], argvalues=[
    ("python", "import os, sys, encodings\nprint('mine', os.__file__.startswith('/usr'))"),
    ("node", "console.log('mine', typeof require('fs').readFileSync === 'function')"),
])
def test_names_of_files_mean_nothing_to_us(launcher, check_host, lang, code):
    """F-05: files with the names of what an interpreter reads at its start; the host check runs without."""
    files = {name: b"raise SystemExit(9)" if lang == "python" else b"process.exit(9)" for name in HOSTILE_FILES[lang]}
    ended = launcher.run(code, lang, files=files)
    assert (ended.outcome, ended.out.lower()) == ("exited 0", "mine true\n"), ended
    check_host(launcher)


def test_standard_input_that_nobody_reads(launcher, check_host):
    """O-10: ten megabytes, of which a pipe holds some; the run ends all the same, and the writer is told."""
    theirs, ours = os.pipe()
    started = launcher.start("print('end')", stdin=theirs)
    os.close(theirs)
    with pytest.raises(BrokenPipeError):
        for _ in range(160):
            os.write(ours, bytes(1 << 16))
    os.close(ours)
    assert launcher.finish(started).out == "end\n"
    check_host(launcher)


def test_swap_is_no_way_past_the_limit(launcher):
    """M-18: the group of a run has a limit on swap that is none on top of its memory. That nothing is swapped out
    is not shown here: it would take a swap area, which is the whole machine's."""
    launcher.run(HELLO["python"])
    both = launcher.leaf_file("memory", "memory.memsw.limit_in_bytes")
    swap = launcher.leaf_file("", "memory.swap.max")
    if both:
        assert both == launcher.leaf_file("memory", "memory.limit_in_bytes")
        assert launcher.leaf_file("memory", "memory.swappiness") == "0"
    elif swap:
        assert swap == "0"
    else:
        assert not pathlib.Path("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists()


ARTIFACTS = """
import os, socket
os.makedirs("out/deep")
open("out/good", "w").write("good")
os.symlink("/etc/passwd", "out/link")
os.symlink("/usr/lib", "out/tree")
os.symlink("good", "out/near")
os.link("out/good", "out/twin")
os.mkfifo("out/fifo")
socket.socket(socket.AF_UNIX).bind("out/socket")
open("out/sparse", "wb").truncate(3 << 30)
open("out/closed", "w").write("x")
os.chmod("out/closed", 0)
open("out/line\\nfeed", "w").write("feed")
open(b"out/\\xff\\xfe", "w").write("bytes")
os.rename("out", "moved"); os.symlink("/", "out"); os.rename("moved", "kept")
os.symlink("/proc/self/fd", "kept/fds")
"""


def test_artifacts_are_plain_files_of_the_run(sealed, tmp_path):
    """F-25: what is collected after a run are regular files of its own, through no link."""
    program, root = sealed
    (tmp_path / "main.py").write_text(ARTIFACTS)
    done = subprocess.run([program.parent / "docle", "run", "--json", "--root-dir", root, "--artifact", "**",
                           tmp_path / "main.py"], stdout=subprocess.PIPE, check=False,
                          env={"PATH": os.environ["PATH"], "DOCLE_DATA_DIR": str(tmp_path)})
    result = json.loads(done.stdout)
    assert result["exitCode"] == 0, result
    names = {file["path"] for file in result["files"]}
    assert {"main.py", "kept/good", "kept/twin"} <= names <= {"main.py", "kept/good", "kept/twin", "kept/line\nfeed"}, names


def test_time_is_counted(launcher, check_host):
    """P-06, P-09: a loop is charged for what it used, sleep for nothing."""
    busy = launcher.run("while True: pass", timeout_ms=500)
    assert busy.outcome == "timeout 9" and 0 < busy.cpu_ns <= busy.wall_ns + 100_000_000, busy
    asleep = launcher.run("import time; time.sleep(1e6)", timeout_ms=500)
    assert asleep.outcome == "timeout 9" and asleep.cpu_ns < 100_000_000, asleep
    check_host(launcher)


MANY_BUSY = "import os\nfor _ in range(32):\n    if os.fork() == 0: break\nwhile True: pass"
FORK_CHAIN = (HERE / "attacks" / "p08_fork_chain.py").read_text()


@pytest.mark.parametrize("code", [MANY_BUSY, FORK_CHAIN], ids=["many", "fork_chain"])
def test_rate_holds_for_all_processes_together(launcher, check_host, code):
    """P-08: half a core for the run, whoever of it forks when. The slack is what it may use before it is
    slowed, and one period of the kernel's quota on each side."""
    for _ in range(3):
        ended = launcher.run(code, timeout_ms=2000, cpus=50)
        assert ended.outcome == "timeout 9", ended
        assert beyond(50, ended) <= 0, ended
    check_host(launcher)


def beyond(cpus, ended):
    return ended.cpu_ns - ended.wall_ns // 100 * cpus - 400_000_000


def test_rate_is_what_holds_them(switched):
    """P-08 without its defence: of a tenth of a core, as on a machine that is busy nobody may get half of one."""
    with Launcher(*switched, without=["rate"], slots=1) as weak:
        assert any(beyond(10, weak.run(MANY_BUSY, timeout_ms=2000, cpus=10)) > 0 for _ in range(10))


def test_peak_is_the_limit(launcher):
    """M-02: what touched pages until the end is said to have used what it was given."""
    ended = launcher.run("x = []\nwhile True: x.append(bytearray(1 << 20))", memory_mb=64, disk_mb=16)
    assert ended.outcome == "memory 9" and ended.hits == {"memory"}, ended
    assert 60 << 20 <= ended.peak_bytes <= 80 << 20, ended.peak_bytes


@pytest.mark.parametrize(("lang", "code"), ids=["python", "node"], argvalues=[
    ("python", "import sys\nfor _ in range(300): sys.stdout.write('x' * 10**6)\nprint('end', file=sys.stderr)"),
    ("node", "for (let i = 0; i < 300; i++) process.stdout.write('x'.repeat(1e6));\nconsole.error('end');"),
])
def test_output_is_bounded(sealed, tmp_path, lang, code):
    """O-01: 300 MB of output through the product: cut at the limit, the run ends as it would."""
    program, root = sealed
    path = tmp_path / {"python": "main.py", "node": "main.js"}[lang]
    path.write_text(code)
    done = subprocess.run([program.parent / "docle", "run", "--json", "--root-dir", root, "--timeout-ms", "20000",
                           "--max-output-bytes", "4096", path], stdout=subprocess.PIPE, check=False,
                          env={"PATH": os.environ["PATH"], "DOCLE_DATA_DIR": str(tmp_path)})
    result = json.loads(done.stdout)
    assert (result["exitCode"], result["truncated"]["stdout"]) == (0, True), result
    kept, _, note = result["stdout"].partition("\n\n... (output truncated: ")
    assert kept == "x" * len(kept) and 0 < len(kept) <= 4096, len(kept)
    assert note == "300000004 bytes exceeds limit of 4096 bytes)"


def test_reading_for_ever_ends(launcher):
    """O-11: standard input that was closed by its writer."""
    theirs, ours = os.pipe()
    os.write(ours, b"some")
    os.close(ours)
    ended = launcher.run("import sys\nprint(sys.stdin.read(), repr(sys.stdin.read()))", stdin=theirs)
    os.close(theirs)
    assert (ended.outcome, ended.out) == ("exited 0", "some ''\n"), ended


def test_daemons_end_with_their_control_group(switched):
    """P-14 without its defence: what the host check looks for is there, until the launcher goes."""
    code = (HERE / "attacks" / "p14_daemon.py").read_text()
    weak = Launcher(*switched, without=["cgroup"], slots=1)
    try:
        assert weak.run(code).out == "gone\n"
        deadline = time.monotonic() + PATIENCE_S
        while not weak.slot_processes():
            assert time.monotonic() < deadline
    finally:
        weak.close()
    assert weak.host_leftovers() == []
