"""Whom the programs under test run as. Usually whoever runs the tests; with DOCLE_TEST_USER=NAME, which needs
root, that ordinary user in control groups of his own: on cgroup v1 groups that are given to him, in every
hierarchy (`docle doctor` says how an operator does that), on v2 a scope of his systemd manager."""

import atexit
import contextlib
import os
import pathlib
import pwd
import shutil
import tempfile
import time

GROUPS = pathlib.Path("/sys/fs/cgroup")
PARTS = ("memory", "pids", "cpu", "cpuacct", "unified")
PROGRAMS = ("docle", "docle-launcher", "docle-egress")
PATIENCE_S = 60


def own_group(part):
    """Where this process is in a hierarchy of v1: the tests may themselves run in a group."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if part in names.split(",") or (part == "unified" and not names):
            return GROUPS / part / path.lstrip("/")
    return GROUPS / part


def make_groups(uid):
    """A group in each hierarchy of v1, the user's."""
    made = []
    for part in PARTS:
        group = own_group(part) / f"docle-test.{os.getpid()}"
        group.mkdir()
        made.append(group)
        for path in (group, *group.iterdir()):
            os.chown(path, uid, uid)
    return made


def remove_groups(groups):
    """Raises what is in the way: nothing may be left in them."""
    for group in groups:
        deadline = time.monotonic() + PATIENCE_S
        while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not [path for path in group.iterdir() if path.is_dir()], "groups are left behind"
        group.rmdir()


def copy_build(build, folder):
    """What runs of the product need, where every user gets at it: a build may lie where not every user may."""
    (folder / "src").mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy(build / name, folder)
    shutil.copytree(build / "src" / "runtimes", folder / "src" / "runtimes", ignore=shutil.ignore_patterns("*.p"))


class Caller:
    """Whoever runs the tests."""

    prefix = []
    environment = {}

    def build(self, build):
        return build

    def give(self, folder):
        """Lets the programs have a folder."""


class User:
    """An ordinary user, while the tests are root's."""

    def __init__(self, name):
        self.uid, self.gid = pwd.getpwnam(name)[2:4]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="docle-user-"))
        self.folder.chmod(0o755)
        (self.folder / "home").mkdir()
        self.give(self.folder / "home")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        # A sealed root of his own: what root's tells of registries is root's to read.
        self.environment = {"HOME": str(self.folder / "home"), "DOCLE_ROOT_DIR": str(self.folder / "home" / "root")}
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        if (GROUPS / "memory").is_dir():
            groups = make_groups(self.uid)
            atexit.register(remove_groups, groups)
            joins = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups)
            self.prefix = ["sh", "-ec", f'{joins}exec "$@"', "join", *become]
        else:
            session = f"/run/user/{self.uid}"
            self.prefix = [*become, "env", f"XDG_RUNTIME_DIR={session}",
                           f"DBUS_SESSION_BUS_ADDRESS=unix:path={session}/bus",
                           "systemd-run", "--user", "--quiet", "--scope", "-p", "Delegate=yes"]

    def build(self, build):
        if not os.access(build / "src", os.F_OK):  # installed: every user gets at it
            return build
        copy_build(build, self.folder / "build")
        return self.folder / "build"

    def give(self, folder):
        with contextlib.suppress(FileNotFoundError):
            os.chown(folder, self.uid, self.gid)


IDENTITY = User(os.environ["DOCLE_TEST_USER"]) if os.environ.get("DOCLE_TEST_USER") else Caller()
