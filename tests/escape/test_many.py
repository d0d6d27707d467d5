"""Attacks that take many runs, or a look at what the launcher counted."""

import json
import os
import subprocess
import time

import pytest

from escape import HELPER, HERE
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
def launcher(sealed, begin):
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


def test_old_zygotes_still_serve_node(sealed, check_host):
    """Runs of a zygote that is older than any timer it was born with end as those of a young one."""
    with Launcher(*sealed, slots=1) as old:
        time.sleep(21)
        for code, out in (
            ("setTimeout(() => console.log('late'), 20); console.log('now')", "now\nlate\n"),
            ("console.log('now')", "now\n"),
            ("require('fs').promises.readFile('main.js').then((b) => console.log(b.length > 9))", "true\n"),
        ):
            ended = old.run(code, "node")
            assert (ended.outcome, ended.out) == ("exited 0", out), ended
        check_host(old)


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
