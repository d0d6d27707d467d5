"""A launcher whose system calls fail while it starts: it does not serve and says why, or what it serves is sealed
like any other run. The program is the launcher linked with tests/fault, which counts calls in each process."""

import json
import pathlib

import pytest

from launcher import Launcher

# The first calls are mostly tolerated (limits of its own, what others left), then each one counts, then it serves.
POINTS = [*range(1, 24, 3), *range(24, 176), *range(176, 240, 5)]

FACTS = """
import errno, json, os, resource, socket
def error(call):
    try:
        call()
        return "done"
    except OSError as problem:
        return errno.errorcode[problem.errno]
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
kept = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters")
print(json.dumps({
    "status": {name: status.get(name) for name in kept},
    "limits": [resource.getrlimit(number) for number in range(16)],
    "mounts": sorted(line.split()[4:6] for line in open("/proc/self/mountinfo")),
    "root": error(lambda: open("/x", "w")),
    "devices": sorted(os.listdir("/dev")),
    "proc": sorted(name for name in os.listdir("/proc") if name.isdigit()),
    "network": sorted(line.split(":")[0].strip() for line in open("/proc/self/net/dev").readlines()[2:]),
    "outside": error(lambda: socket.create_connection(("192.0.2.1", 80), 5)),
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:3],
    "name": os.uname().nodename,
}))
"""


@pytest.fixture(scope="module")
def faulty(sealed):
    program = sealed[0].parent / "tests" / "fault" / "faulty-launcher"
    if not program.exists():
        pytest.skip(f"{program} is not built: the build has no tests")
    return program, sealed[1]


def own_status(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    return {name: fields[name] for name in ("Seccomp", "NoNewPrivs", "CapPrm")}


def serve(faulty):
    """What a run sees, and what the launcher is; or the words with which it gave up."""
    try:
        with Launcher(*faulty, slots=1, options=["--spares", "python=0", "--spares", "node=0"]) as launcher:
            ended = launcher.run(FACTS)
            own = own_status(launcher.pid)
    except AssertionError as gone:
        return None, str(gone)
    if ended.outcome.startswith("sandbox_error"):
        return None, ended.text
    assert ended.outcome == "exited 0", ended
    return {"launcher": own, "run": json.loads(ended.out)}, ""


def test_no_failure_makes_it_weaker(faulty, monkeypatch):
    monkeypatch.delenv("DOCLE_FAULT", raising=False)
    expected, why = serve(faulty)
    assert expected, why
    served, refused = 0, set()
    for point in POINTS:
        monkeypatch.setenv("DOCLE_FAULT", f"system:{point}")
        facts, why = serve(faulty)
        if facts:
            served += 1
            assert facts == expected, point
        else:
            refused.add(why.splitlines()[0][:60])
            assert why.strip(), point
    # Both happened, or nothing was shown.
    assert served and len(refused) > 20, (served, refused)
