"""docle serve: rights, signals, folders. What it answers is tested in tests/api."""

import json
import os
import pathlib
import pwd
import signal
import socket
import stat
import subprocess
import threading

import pytest
import requests

from conftest import DOCLE, PATIENCE_S, Serving, docle, environment, needs_root, wait_for

SLEEP = "import time\ntime.sleep({})\nprint('slept')"


def new_key(folder):
    return json.loads(docle("keys", "create", "--data-dir", folder, "--project", "p", "--json",
                            check=0).stdout)["key"]


def run(server, key, code, **more):
    return requests.post(server.base + "/api/run", json={"lang": "python", "code": code, **more},
                         headers={"Authorization": "Bearer " + key}, timeout=PATIENCE_S)


class Background(threading.Thread):
    """A run whose answer is awaited elsewhere."""

    def __init__(self, server, key, seconds):
        super().__init__()
        self.arguments, self.answer = (server, key, SLEEP.format(seconds)), None
        self.start()

    def run(self):
        try:
            self.answer = run(*self.arguments, policy={"timeoutMs": 250000})
        except requests.RequestException as error:
            self.answer = error


def await_running(server, count=1):
    """Until that many runs are running."""
    def running():
        text = requests.get(server.base + "/metrics", timeout=PATIENCE_S).text
        return any(line.startswith("docle_runs_running") and float(line.split()[-1]) >= count
                   for line in text.splitlines())
    wait_for(running, "a run is running")


@needs_root
def test_the_api_process_has_no_rights(serve):
    server = serve()
    wanted = next((name for name in ("docle", "nobody") if known(name)), None)
    user = pwd.getpwnam(wanted)
    assert server.status("Uid") == [str(user.pw_uid)] * 4
    assert server.status("Gid") == [str(user.pw_gid)] * 4
    assert server.status("Groups") == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(server.status(name)[0], 16) == 0, name
    assert server.status("NoNewPrivs") == ["1"]
    assert server.status("Seccomp") == ["2"]
    threads = os.listdir(f"/proc/{server.pid}/task")
    for thread in threads:
        text = pathlib.Path(f"/proc/{server.pid}/task/{thread}/status").read_text()
        assert "Seccomp:\t2" in text and "NoNewPrivs:\t1" in text
    for path in [server.folder, *server.folder.iterdir()]:
        assert path.stat().st_uid == user.pw_uid
        # Runs go through the folder of their packages, which nobody else reaches: the one above is closed.
        closed = 0o066 if path.name == "packages" else 0o077
        assert stat.S_IMODE(path.stat().st_mode) & closed == 0
    assert server.stop() == 0


def known(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


@needs_root
def test_a_folder_below_a_closed_one(folder):
    (folder / "closed").mkdir(mode=0o700)
    server = Serving(folder / "closed" / "data")
    try:
        key = new_key(folder / "closed" / "data")
        assert run(server, key, "print(1)").json()["stdout"] == "1\n"
    finally:
        assert server.stop() == 0
    # Nothing of it stays mounted on the host.
    assert "/run/docle" not in pathlib.Path("/proc/self/mountinfo").read_text()


@needs_root
def test_a_named_user(serve):
    server = serve("--server-user", "daemon")
    deep = server.folder / "packages" / "layers" / "of" / "daemon"
    deep.mkdir(parents=True)
    (deep / ".file").touch()
    for path in (deep.parent, deep, deep / ".file"):
        os.chown(path, pwd.getpwnam("daemon").pw_uid, 0)
    (deep / "link").symlink_to("/etc/hostname")
    assert server.status("Uid")[0] == str(pwd.getpwnam("daemon").pw_uid)
    assert server.stop() == 0
    again = serve("--server-user", "nobody")  # files change hands
    assert again.stop() == 0
    for path in (deep.parent, deep, deep / ".file"):
        assert path.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert pathlib.Path("/etc/hostname").stat().st_uid == 0


@needs_root
def test_a_low_port(folder):
    address = f"127.0.0.{2 + os.getpid() % 250}:81"
    server = Serving(folder / "data", listen=address)
    assert server.base == "http://" + address
    assert server.status("CapEff") == ["0000000000000000"]
    assert server.stop() == 0


@needs_root
@pytest.mark.parametrize("user, said", [("root", "does not run as root"), ("xyzzy", "no user")])
def test_users_that_do_not_do(folder, user, said):
    assert said in docle("serve", "--server-user", user, "--data-dir", folder / "data", check=2).stderr


def test_one_server_for_one_folder(serve):
    server = serve()
    second = subprocess.run([DOCLE, "serve", "--listen", "127.0.0.1:0"], env=server.env, check=False,
                            capture_output=True, text=True, timeout=PATIENCE_S)
    assert second.returncode == 1
    assert "another server" in second.stderr or "server" in second.stderr
    assert requests.get(server.base + "/healthz", timeout=PATIENCE_S).status_code == 200
    assert server.stop() == 0


def test_an_address_in_use_is_said(folder, serve, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        done = docle("serve", "--data-dir", folder / "other", "--listen", f"127.0.0.1:{free_port}",
                     check=1)
    assert str(free_port) in done.stderr


def test_sigterm_lets_runs_end(serve):
    server = serve()
    run_ = Background(server, new_key(server.folder), 2)
    await_running(server)
    assert server.stop() == 0
    run_.join(PATIENCE_S)
    assert run_.answer.status_code == 200
    assert run_.answer.json()["stdout"] == "slept\n"


def test_the_drain_is_bounded(serve):
    server = serve("--server-drain-seconds", "1")
    run_ = Background(server, new_key(server.folder), 240)
    await_running(server)
    assert server.stop() == 0
    run_.join(PATIENCE_S)
    assert run_.answer.json()["outcome"] == "cancelled"


def test_a_second_signal_ends_now(serve):
    server = serve("--server-drain-seconds", "3000")
    run_ = Background(server, new_key(server.folder), 240)
    await_running(server)
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: refused(server), "no new runs")
    server.process.send_signal(signal.SIGTERM)
    server.wait()
    run_.join(PATIENCE_S)
    assert not run_.is_alive()


def refused(server):
    try:
        return requests.get(server.base + "/readyz", timeout=PATIENCE_S).status_code == 503
    except requests.RequestException:
        return True


def test_sighup_reads_the_limits_again(folder, serve):
    file = folder / "docle.conf"
    file.write_text("[limits]\ntimeout_ms = 5000\n")
    server = serve("--config", str(file))
    key = new_key(server.folder)
    assert run(server, key, "print(1)", policy={"timeoutMs": 5000}).status_code == 200
    assert run(server, key, "print(1)", policy={"timeoutMs": 5001}).status_code == 400
    file.write_text("[limits]\ntimeout_ms = 6000\n[history]\ndays = 9\n[queue]\nmax = 9\n")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: run(server, key, "print(1)", policy={"timeoutMs": 6000}).status_code == 200,
             "the new ceiling")
    assert "queue.max changed; it takes effect at the next start" in server.log_text()
    file.write_text("nonsense\n")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the settings stay as they were" in server.log_text(), "the mistake is logged")
    assert run(server, key, "print(1)", policy={"timeoutMs": 6000}).status_code == 200
    assert server.stop() == 0


def test_keys_take_effect_at_once(serve):
    server = serve()
    made = json.loads(docle("keys", "create", "--data-dir", server.folder, "--project", "p",
                            "--json", check=0).stdout)
    assert run(server, made["key"], "print(1)").status_code == 200
    docle("keys", "revoke", "--data-dir", server.folder, made["id"], check=0)
    assert run(server, made["key"], "print(1)").status_code == 401
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_all_processes_end_with_the_server(serve, number):
    server = serve()
    family = server.children()
    assert family
    family += [int(pid) for keeper in family for pid in
               pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]
    server.process.send_signal(number)
    server.wait()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), f"{family} end")


# DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, SYS_ADMIN, SYS_RESOURCE
KEEPER_RIGHTS = sum(1 << number for number in (1, 5, 6, 7, 8, 21, 24))


@needs_root
def test_what_the_keeper_may(serve):
    """It starts the launcher with its own rights, and has no more than that takes."""
    (keeper,) = serve().children()
    own, status = (dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
                   for pid in ("self", keeper))
    allowed = KEEPER_RIGHTS & int(own["CapBnd"], 16)
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {allowed}
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0 and status["NoNewPrivs"] == "1"
    assert len(os.listdir(f"/proc/{keeper}/fd")) == 4  # the standard streams and its link


def test_a_lost_keeper_ends_the_server(serve):
    server = serve()
    os.kill(server.children()[0], signal.SIGKILL)
    assert server.wait() == 1
    assert "keeper" in server.log_text()


def test_a_lost_launcher_is_replaced(serve):
    server = serve()
    key = new_key(server.folder)
    keeper = server.children()[0]
    launcher = int(pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()[0])
    os.kill(launcher, signal.SIGKILL)
    wait_for(lambda: answers(server, key), "runs work again")
    assert server.stop() == 0


def answers(server, key):
    answer = run(server, key, "print(1)")
    return answer.status_code == 200 and answer.json()["stdout"] == "1\n"


def test_the_service_manager_is_told(folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(PATIENCE_S)
        server = Serving(folder / "data", NOTIFY_SOCKET=str(folder / "notify"))
        assert manager.recv(100) == b"READY=1"
        assert server.stop() == 0


@needs_root
def test_a_weak_host_is_refused_with_the_remedy(folder):
    """A user who has no cgroup of its own reaches 'limited' at most on hosts with cgroup v1."""
    data = folder / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", DOCLE,
                           "serve", "--listen", "127.0.0.1:0", "--data-dir", data],
                          env={**environment(), "HOME": str(folder), "DOCLE_ROOT_DIR": root_dir()},
                          check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert "the floor is 'standard'" in done.stderr
    assert "mend:" in done.stderr


def root_dir():
    shown = json.loads(docle("config", "--json", check=0).stdout)
    return shown["settings"]["root_dir"]["value"]


def test_doctor(folder):
    done = docle("doctor", "--json")
    report = json.loads(done.stdout)
    assert report["level"] in ("none", "limited", "standard", "full")
    names = {check["name"] for check in report["checks"]}
    assert {"kernel", "cgroup memory", "cgroup pids", "cgroup cpu", "user namespaces", "landlock",
            "seccomp", "pidfd", "tmpfs", "overlay", "network namespaces", "sealed root",
            "launcher", "limits"} <= names
    for check in report["checks"]:
        assert check["state"] == "ok" or check["remedy"]
    assert report["ok"] == (done.returncode == 0)
    assert "Isolation level: " + report["level"] in docle("doctor").stdout


def test_doctor_leaves_nothing_behind(folder):
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    docle("doctor")
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before
    for hierarchy in ("memory", "pids", "cpu", "unified", "."):
        assert not list(pathlib.Path("/sys/fs/cgroup", hierarchy).glob("**/docle-probe.*"))
