"""What only a host with cgroup v2 and systemd shows: levels, the packaged unit, delegation, the groups of
each run and what is left of them. Outcomes and lifecycle in general are in tests/api, which runs here, too.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal

import pytest
from product import call, doctor, processes_below, status, wait_for

HELLO = {"python": "print('hello')", "node": "console.log('hello')"}
LONG = {"timeoutMs": 60000}


@contextlib.contextmanager
def sleeping(server, **policy):
    """(leaf, future of the result) of a run that sleeps until it is ended, at the latest afterwards. Its
    memory tells it from others."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(server.run, "import time; time.sleep(1e6)", policy={"timeoutMs": 300000, **policy})
        try:
            yield wait_for(lambda: server.leaf_with(policy["memoryMB"]), "a leaf with its memory"), job
        finally:
            if not job.done():
                server.cancel()


# --- the host -----------------------------------------------------------------------------------


def test_doctor(mode, root_dir):
    report = doctor(mode, mode.delegated)
    found = {check["name"]: check for check in report["checks"]}
    assert report["level"] == "full" and report["ok"], report
    assert mode.name in found["kernel"]["found"] and "Linux 6.1." in found["kernel"]["found"]
    for part in ("memory", "pids", "cpu", "kill"):
        assert found[f"cgroup {part}"]["state"] == "ok", found
    assert found["cgroup memory"]["found"].startswith("v2, writable at ")
    assert found["landlock"]["found"] == "ABI 2"
    assert "cgroup v2" in found["launcher"]["found"]
    runtimes = [check["found"] for check in report["checks"] if check["name"] == "runtime"]
    assert len(runtimes) == 2 and all("zygote" in line for line in runtimes), runtimes


@pytest.mark.parametrize("lang", HELLO)
def test_docle_run(mode, root_dir, lang):
    done = call(*mode.delegated("docle", "run", "--lang", lang, "--json", "-"), input=HELLO[lang])
    result = json.loads(done.stdout)
    assert (result["outcome"], result["stdout"]) == ("ok", "hello\n"), result
    assert result["usage"]["cpuMs"] > 0 and result["usage"]["memMB"] > 0


def test_docle_run_says_how_it_ended(mode, root_dir):
    done = call(*mode.delegated("docle", "run", "--lang", "python", "-"), input="print(input)\nraise SystemExit(7)",
                check=False)
    assert done.returncode == 7 and done.stdout.startswith("<built-in")
    done = call(*mode.delegated("docle", "run", "--lang", "python", "--memory-mb", "64", "-"),
                input="x = []\nwhile True: x.append(bytearray(1 << 20))", check=False)
    assert done.returncode == 137, done.stderr


# --- the service --------------------------------------------------------------------------------


def test_service(mode, server):
    pid = server.mode.main_pid()
    assert status(pid, "CapEff") == "0000000000000000" and status(pid, "NoNewPrivs") == "1"
    assert status(pid, "Seccomp") == "2"
    assert status(pid, "Uid").split()[0] != "0"
    assert server.ready()
    controllers = (server.group / "cgroup.subtree_control").read_text().split()
    assert {"cpu", "memory", "pids"} <= set(controllers)
    assert not (server.group / "cgroup.procs").read_text()  # an inner group holds no process
    assert str(pid) in (server.group / "supervisor/cgroup.procs").read_text().split()


@pytest.mark.parametrize("lang", HELLO)
def test_hello(server, lang):
    result = server.run(HELLO[lang], lang)
    assert (result["outcome"], result["stdout"], result["exitCode"]) == ("ok", "hello\n", 0), result


def test_a_run_sees_no_group(server):
    code = "print(open('/proc/self/cgroup').read(), end='')\nimport os\nprint(os.path.exists('/sys/fs/cgroup'))"
    assert server.run(code)["stdout"] == "0::/\nFalse\n"


def test_limits_are_the_groups(server):
    """While it runs, its leaf has what the policy says."""
    with sleeping(server, memoryMB=96, maxProcesses=17) as (leaf, _):
        values = {name: (leaf / name).read_text().strip()
                  for name in ("memory.swap.max", "memory.oom.group", "pids.max", "pids.current")}
    assert values == {"memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "17", "pids.current": "1"}


def test_timeout(server):
    result = server.run("print('before', flush=True)\nwhile True: pass", policy={"timeoutMs": 2000})
    assert (result["outcome"], result["exitCode"], result["stdout"]) == ("timeout", 124, "before\n"), result
    assert result["limits"] == ["wall"]


def test_memory_limit(server):
    code = "print('before', flush=True)\nx = []\nwhile True: x.append(bytearray(1 << 20))"
    result = server.run(code, policy={**LONG, "memoryMB": 64})
    assert (result["outcome"], result["exitCode"], result["stdout"]) == ("memory_limit", 137, "before\n"), result
    assert "memory" in result["limits"] and 64 <= result["usage"]["memMB"] <= 81


def test_memory_limit_ends_the_whole_run(server):
    """memory.oom.group: a child that eats takes its parent along."""
    code = ("import os, time\nif os.fork() == 0:\n    x = []\n    while True: x.append(bytearray(1 << 20))\n"
            "time.sleep(1e6)")
    result = server.run(code, policy={**LONG, "memoryMB": 64})
    assert result["outcome"] == "memory_limit", result
    code = "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))"
    assert server.run(code, "node", policy={**LONG, "memoryMB": 128})["outcome"] == "memory_limit"


def test_process_limit(server):
    code = "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(1e6)"
    result = server.run(code, policy={**LONG, "maxProcesses": 24})
    assert result["outcome"] == "process_limit" and "processes" in result["limits"], result


def test_disk_limit(server):
    code = ("import errno\ntry:\n    with open('f', 'wb', buffering=0) as f:\n"
            "        while True: f.write(bytes(1 << 16))\nexcept OSError as e: print(errno.errorcode[e.errno])")
    result = server.run(code, policy={**LONG, "diskMB": 8})
    assert result["stdout"] == "ENOSPC\n" and "disk" in result["limits"], result


def test_output_limit(server):
    result = server.run("print('x' * 100000)", policy={**LONG, "maxOutputBytes": 1024})
    assert result["truncated"]["stdout"] and "output" in result["limits"] and result["outcome"] == "ok", result


def test_cpu_limit(server):
    result = server.run("while True: pass", policy={**LONG, "cpuMs": 1000})
    assert (result["outcome"], result["limits"]) == ("timeout", ["cpu"]), result
    assert result["usage"]["cpuMs"] >= 1000


def throttled(leaf):
    lines = (leaf / "cpu.stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)["nr_throttled"]) > 0


def test_cpu_rate(server):
    """cpu.max holds what is busy to its share of a core."""
    policy = {"timeoutMs": 20000, "cpus": 0.2, "memoryMB": 80}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(server.run, "while True: pass", policy=policy)
        leaf = wait_for(lambda: server.leaf_with(80), "a leaf with its memory")
        wait_for(lambda: (leaf / "cpu.max").read_text() == "20000 100000\n", "the rate is written")
        wait_for(lambda: throttled(leaf), "the kernel throttles")
        result = job.result()
    assert result["outcome"] == "timeout"
    assert 0 < result["usage"]["cpuMs"] < 10000, result  # 20000 unthrottled


def test_usage_is_measured(server):
    code = "import time\nwhile time.process_time() < 1: pass\nprint(time.process_time())"
    result = server.run(code, policy=LONG)
    assert result["usage"]["cpuMs"] >= 900, result
    result = server.run("x = b'x' * (100 << 20)", policy=LONG)
    assert 100 <= result["usage"]["memMB"] < 160, result


def test_peak_is_of_this_run(server):
    """memory.peak cannot be reset before Linux 6.12: each run has a leaf of its own, also in a slot that
    was just used."""
    assert server.run("x = b'x' * (150 << 20)", policy=LONG)["usage"]["memMB"] >= 150
    for _ in range(12):
        assert 0 < server.run("pass", policy=LONG)["usage"]["memMB"] < 60


def test_many_at_once(server):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(server.run, HELLO[lang], lang, policy=LONG) for lang in HELLO for _ in range(12)]
        assert {job.result()["stdout"] for job in jobs} == {"hello\n"}


def test_cancel(server):
    with sleeping(server, memoryMB=72) as (_, job):
        server.cancel()
        result = job.result()
    assert (result["outcome"], result["exitCode"]) == ("cancelled", 130), result


def test_nothing_of_a_run_is_left(server):
    """Daemons, stopped ones, forks: dead when the answer is there, and the leaves are new."""
    code = ("import os, signal, time\nfor i in range(8):\n    if os.fork() == 0:\n        os.setsid()\n"
            "        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n        time.sleep(1e6)\n"
            "print('left')")
    assert server.run(code, policy={**LONG, "memoryMB": 88})["stdout"] == "left\n"
    wait_for(lambda: not server.leaf_with(88), "its leaf is removed")
    assert pathlib.Path("/proc/self/mountinfo").read_text() == server.mounts


def dying(tree):
    return int(dict(line.split() for line in (tree / "cgroup.stat").read_text().splitlines())["nr_dying_descendants"])


def test_groups_do_not_pile_up(server):
    """A group that is removed lives on in the kernel while a page is charged to it. Nothing of a run may hold
    one: not its file system, nor what it was the first to read."""
    [tree] = server.trees()
    code = "open('f', 'w').write('x' * (1 << 20)); import decimal, html, subprocess; subprocess.run(['cat', 'f'])"
    for _ in range(24):
        assert server.run(code, policy=LONG)["outcome"] == "ok"
    wait_for(lambda: dying(tree) < 12, "the kernel frees groups")


# --- death --------------------------------------------------------------------------------------


def test_killed_launcher(server):
    """Its runs end as sandbox_error, its groups go, another one serves."""
    old = server.launcher()
    with sleeping(server, memoryMB=68) as (_, job):
        below = processes_below(server.group / f"docle.{old}")
        os.kill(old, signal.SIGKILL)
        assert job.result()["outcome"] == "sandbox_error"
    wait_for(lambda: not (server.group / f"docle.{old}").exists(), "the sweeper has swept")
    assert not [pid for pid in below if pathlib.Path("/proc", pid).exists()]
    wait_for(server.ready, "another launcher serves")
    assert server.run(HELLO["python"])["outcome"] == "ok"
    assert server.launcher() != old


def test_killed_server(server, mode):
    """systemd starts it anew; what ran is gone, what was acknowledged is there."""
    kept = server.run("print('kept')")["id"]
    pid = mode.main_pid()
    with sleeping(server, memoryMB=76) as (_, job):
        os.kill(pid, signal.SIGKILL)
        assert job.exception()
    wait_for(lambda: mode.active() and mode.main_pid() not in (0, pid) and server.ready(), "it is back")
    assert server.request("GET", f"/api/run/{kept}").json()["stdout"] == "kept\n"
    assert server.run(HELLO["node"], "node")["outcome"] == "ok"
    assert len(server.trees()) == 1


def test_stop(server, mode):
    """Nothing is left of the service: no process, no group, no mount."""
    below = processes_below(server.group)
    mode.stop()
    wait_for(lambda: not [pid for pid in below if pathlib.Path("/proc", pid).exists()], "all have ended")
    wait_for(lambda: not server.group.exists() or not server.trees(), "the groups are gone")
    assert pathlib.Path("/proc/self/mountinfo").read_text() == server.mounts
