"""The product as systemd starts it: by the packaged unit as root, or as an ordinary user in a group that
systemd delegates."""

import contextlib
import json
import os
import pathlib
import pwd
import re
import subprocess
import time

import requests

PATIENCE_S = 120
USER = "tester"
GROUPS = pathlib.Path("/sys/fs/cgroup")


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def environment():
    """Nothing of what the tests are told."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCLE_")}


def call(*command, check=True, **more):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, check=False,
                          timeout=PATIENCE_S * 2, env=environment(), **more)
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


class Root:
    """The unit of `make install`."""

    name, rootless = "root", False
    unit, base = "docle.service", "http://127.0.0.1:8787"

    def command(self, *words):
        """As an administrator types it: in a group that nobody delegated."""
        return list(words)

    def delegated(self, *words):
        return ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "-p", "Delegate=yes", *words]

    def start(self):
        call("systemctl", "start", self.unit)

    def stop(self):
        call("systemctl", "stop", self.unit)

    def active(self):
        return call("systemctl", "is-active", self.unit, check=False).stdout.strip() == "active"

    def main_pid(self):
        return int(call("systemctl", "show", "-P", "MainPID", self.unit).stdout)

    def group(self):
        return GROUPS / call("systemctl", "show", "-P", "ControlGroup", self.unit).stdout.strip().lstrip("/")

    def log(self):
        return call("journalctl", "-b", "-o", "cat", "--no-pager", "-n", "40", "-u", self.unit).stdout


class Rootless:
    """What docle-server(8) gives as the example without root, as a unit of the user's own manager."""

    name, rootless = "rootless", True
    unit, base = "docle-mine.service", "http://127.0.0.1:8790"

    def command(self, *words):
        user = pwd.getpwnam(USER)
        session = f"/run/user/{user.pw_uid}"
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--reset-env",
                "env", f"XDG_RUNTIME_DIR={session}", f"DBUS_SESSION_BUS_ADDRESS=unix:path={session}/bus",
                "PATH=/usr/local/bin:/usr/bin:/bin", f"DOCLE_ROOT_DIR={os.environ['DOCLE_ROOT_DIR']}", *words]

    def delegated(self, *words):
        return self.command("systemd-run", "--user", "--quiet", "--scope", "-p", "Delegate=yes", *words)

    def control(self, *words, check=True):
        return call(*self.command("systemctl", "--user", *words), check=check)

    def start(self):
        call(*self.command("systemd-run", "--user", "--quiet", f"--unit={self.unit}", "-p", "Delegate=yes",
                           "-p", "Type=notify", "-p", "Restart=on-failure", "-p", "KillMode=mixed",
                           "-E", "DOCLE_ROOT_DIR", "/usr/local/bin/docle", "serve", "--listen", self.base.removeprefix("http://")))

    def stop(self):
        self.control("stop", self.unit)

    def active(self):
        return self.control("is-active", self.unit, check=False).stdout.strip() == "active"

    def main_pid(self):
        return int(self.control("show", "-P", "MainPID", self.unit).stdout)

    def group(self):
        return GROUPS / self.control("show", "-P", "ControlGroup", self.unit).stdout.strip().lstrip("/")

    def log(self):
        return call("journalctl", "-b", "-o", "cat", "--no-pager", "-n", "40",
                    f"_SYSTEMD_USER_UNIT={self.unit}").stdout


class Server:
    """The running service, and what it holds of the machine."""

    def __init__(self, mode):
        self.mode = mode
        self.mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        mode.start()
        self.group = mode.group()
        made = call(*mode.command("docle", "keys", "create", "--project", "vm", "--json"))
        self.key = json.loads(made.stdout)["key"]

    def request(self, method, path, **more):
        return requests.request(method, self.mode.base + path, timeout=PATIENCE_S,
                                headers={"Authorization": f"Bearer {self.key}"}, **more)

    def run(self, code, lang="python", **fields):
        answer = self.request("POST", "/api/run", json={"lang": lang, "code": code, **fields})
        assert answer.status_code in (200, 500), answer.text
        return answer.json()

    def ready(self):
        with contextlib.suppress(requests.RequestException):
            return self.request("GET", "/readyz").status_code == 200
        return False

    def trees(self):
        return [path for path in self.group.glob("docle.*") if path.is_dir()]

    def leaves(self):
        return [path for tree in self.trees() for path in tree.glob("slot*")]

    def launcher(self):
        """The one whose tree is there."""
        [tree] = self.trees()
        return int(tree.name.removeprefix("docle."))

    def leaf_with(self, memory_mb):
        """The leaf of the run that has this much memory, and the disk that goes with it; None."""
        wanted = f"{(memory_mb + memory_mb // 4) << 20}\n"
        for leaf in self.leaves():
            with contextlib.suppress(OSError):
                if (leaf / "memory.max").read_text() == wanted and (leaf / "cgroup.procs").read_text():
                    return leaf
        return None

    def cancel(self):
        """The newest run, once it is listed as running."""
        def running():
            runs = self.request("GET", "/api/runs?limit=1").json()["runs"]
            return runs[0]["id"] if runs and runs[0]["status"] == "running" else None

        number = wait_for(running, "it is listed")
        assert self.request("POST", f"/api/run/{number}/cancel").status_code in (200, 202)


def doctor(mode, words, check=True):
    done = call(*words("docle", "doctor", "--json"), check=check)
    return json.loads(done.stdout)


def status(pid, field):
    return re.search(rf"^{field}:\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def processes_below(group):
    found = []
    for folder, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            found += pathlib.Path(folder, "cgroup.procs").read_text().split()
    return found
