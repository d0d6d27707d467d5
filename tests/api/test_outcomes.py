"""Every way in which a run can end, with its outcome, exit code and named limits."""

import time

import pytest

LONG = {"timeoutMs": 60000}


def test_error(api):
    result = api.run("raise SystemExit(3)")
    assert (result["outcome"], result["exitCode"], result["ok"]) == ("error", 3, False)
    result = api.run("1/0")
    assert result["exitCode"] == 1 and "ZeroDivisionError" in result["stderr"]
    result = api.run("process.exit(4)", "node")
    assert (result["outcome"], result["exitCode"]) == ("error", 4)
    result = api.run("throw new Error('x')", "node")
    assert result["exitCode"] == 1 and "Error: x" in result["stderr"]
    result = api.run("def f(:\n")
    assert result["exitCode"] == 1 and "SyntaxError" in result["stderr"]


def test_no_output_is_fine(api):
    assert api.run("pass")["stdout"] == ""
    assert api.run("exit(0)")["outcome"] == "ok"


@pytest.mark.parametrize(
    "lang, code",
    [
        ("python", "while True: pass"),
        ("python", "import time; time.sleep(1e9)"),
        ("python", "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); signal.pause()"),
        ("python", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
        ("python", "import os, time\nif os.fork() == 0: time.sleep(1e9)\nos.wait()"),
        ("node", "for (;;);"),
        ("node", "for (const s of ['SIGTERM','SIGINT','SIGHUP']) process.on(s, () => {}); setInterval(() => {}, 1e6)"),
        ("node", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"),
    ],
    ids=["busy", "sleep", "blocked", "stopped", "child", "js-busy", "js-handlers", "js-atomics"],
)
def test_timeout(api, lang, code):
    """P-06, P-07, P-09, P-10, P-11"""
    started = time.monotonic()
    result = api.run(code, lang, policy={"timeoutMs": 400})
    assert (result["outcome"], result["exitCode"], result["ok"]) == ("timeout", 124, False)
    assert result["limits"] == ["wall"] and result["stderr"].startswith("SandboxError:")
    assert "timeoutMs" in result["message"] and result["usage"]["durationMs"] >= 400
    assert time.monotonic() - started < 30


def test_output_before_a_timeout_is_kept(api):
    result = api.run("print('before', flush=True)\nwhile True: pass", policy={"timeoutMs": 400})
    assert result["outcome"] == "timeout" and result["stdout"] == "before\n"
    result = api.run("process.stdout.write('before\\n'); for (;;);", "node", policy={"timeoutMs": 1500})
    assert result["outcome"] == "timeout" and result["stdout"] == "before\n"


def test_cpu_limit(api):
    result = api.run("while True: pass", policy={"cpuMs": 300, "timeoutMs": 60000})
    assert (result["outcome"], result["exitCode"], result["limits"]) == ("timeout", 124, ["cpu"])
    assert "cpuMs" in result["message"] and result["usage"]["durationMs"] < 30000


@pytest.mark.parametrize(
    "lang, code",
    [
        ("python", "x = []\nwhile True: x.append(bytearray(1 << 20))"),
        ("python", "import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1"),
        ("python", "import os\nwhile True:\n    fd = os.memfd_create('m')\n    for _ in range(4): os.write(fd, bytes(1 << 20))"),
        ("python", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'x=[]\\nwhile True: x.append(bytearray(1<<20))'])\nwhile True: pass"),
        ("node", "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))"),
        ("node", "const x = []; for (;;) x.push(new Array(10000).fill(Math.random()))"),
    ],
    ids=["heap", "mmap", "memfd", "child", "js-buffers", "js-heap"],
)
def test_memory_limit(api, lang, code):
    """M-01, M-02, M-04, M-07: the whole run ends, not one task of it."""
    result = api.run(code, lang, policy={"memoryMB": 64, **LONG})
    assert (result["outcome"], result["exitCode"]) == ("memory_limit", 137), result
    assert "memory" in result["limits"] and "memoryMB" in result["message"]
    assert result["usage"]["memMB"] <= 64 + 16 + 8


def test_memory_error_that_the_program_handles(api):
    result = api.run("try:\n    bytearray(10 ** 13)\nexcept MemoryError: print('caught')")
    assert result["stdout"] == "caught\n" and result["ok"]


@pytest.mark.parametrize(
    "lang, code",
    [
        ("python", "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(1e9)"),
        ("python", "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1e9,), daemon=True).start()"),
        ("python", "import os\nwhile True:\n    try: os.fork()\n    except BlockingIOError: os._exit(1)"),
        ("node", "const c = require('child_process'); let n = 0; const go = () => { const p = c.spawn('sleep', ['1000']); p.on('error', (e) => { throw e }); if (n++ < 200) setImmediate(go) }; go()"),
    ],
    ids=["fork", "threads", "bomb", "js-spawn"],
)
def test_process_limit(api, lang, code):
    """P-01, P-03, P-04"""
    result = api.run(code, lang, policy={"maxProcesses": 24, "timeoutMs": 10000})
    assert result["outcome"] in ("process_limit", "timeout"), result
    assert "processes" in result["limits"]
    if result["outcome"] == "process_limit":
        assert "maxProcesses" in result["message"]


def test_disk_limit_is_named(api):
    """M-05, M-06: one budget for /workspace, /tmp and /dev/shm; the run goes on."""
    code = """
import errno, os
written = 0
for name in ("/workspace/a", "/tmp/b", "/dev/shm/c"):
    try:
        with open(name, "wb", buffering=0) as file:
            while True: written += file.write(bytes(1 << 16))
    except OSError as e:
        assert e.errno in (errno.ENOSPC, errno.EACCES, errno.ENOENT), e
print(written <= 8 << 20)
"""
    result = api.run(code, policy={"diskMB": 8, **LONG})
    assert result["stdout"] == "True\n", result
    assert result["outcome"] == "ok" and "disk" in result["limits"]


@pytest.mark.parametrize("number, name", [(6, "SIGABRT"), (9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM")])
def test_signals(api, number, name):
    """P-12, P-16, P-17, P-18"""
    code = {
        6: "import os; os.abort()",
        9: "import os; os.kill(os.getpid(), 9)",
        11: "import ctypes; ctypes.string_at(0)",
        15: "import os; os.kill(os.getpid(), 15)",
    }[number]
    result = api.run(code)
    assert (result["outcome"], result["signal"], result["exitCode"]) == ("signal", name, 128 + number)
    assert name in result["message"]


def test_daemon_does_not_delay_the_answer(api):
    """P-14: no waiting for the end of a pipe that something else holds."""
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1e9)
    os._exit(0)
os.wait()
print("main ends")
"""
    started = time.monotonic()
    result = api.run(code, policy={"timeoutMs": 300000})
    assert result["outcome"] == "ok" and result["stdout"] == "main ends\n"
    assert time.monotonic() - started < 60


def test_kill_everything(api):
    """P-12: reaches only what belongs to the run."""
    result = api.run("import os; print('x', flush=True)\ntry: os.kill(-1, 9)\nexcept ProcessLookupError: pass")
    assert result["outcome"] in ("ok", "signal")
    assert api.run("print(1)")["ok"]


def test_exit_code_range(api):
    assert api.run("raise SystemExit(255)")["exitCode"] == 255
    assert api.run("raise SystemExit(256)")["exitCode"] == 0
    result = api.run("raise SystemExit(124)")
    assert (result["outcome"], result["exitCode"]) == ("error", 124)


def test_no_network(api):
    result = api.run(
        "import socket\ntry: socket.create_connection(('1.1.1.1', 80), 5)\nexcept OSError as e: print(e.errno)"
    )
    assert result["stdout"] == "101\n"
