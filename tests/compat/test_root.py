"""The sealed root: what make-root copies, when it does so anew, and what it leaves alone."""

import fcntl
import os
import pathlib
import shutil
import stat
import subprocess

import pytest

from conftest import BUILD

ADDONS = BUILD / "src" / "runtimes"
PYTHON = "python=/usr/bin/python3"


@pytest.fixture
def addons(tmp_path):
    """A copy, to change files in."""
    folder = tmp_path / "addons"
    folder.mkdir()
    for file in ADDONS.iterdir():
        if file.is_file():
            shutil.copy2(file, folder)
    return folder


def make_root(addons, root_dir, *options, status=0, user=None):
    done = subprocess.run([addons / "make-root", "--root-dir", root_dir, "--runtime", PYTHON, *options], text=True,
                          capture_output=True, timeout=300, check=False, user=user, group=user,
                          extra_groups=None if user is None else [], env={"PATH": os.environ["PATH"]})
    assert done.returncode == status, done.stderr
    return done.stdout.strip()


def entries(generation):
    for folder, names, files in os.walk(generation / "rootfs"):
        for name in names + files:
            yield pathlib.Path(folder, name)


def test_copies_once(addons, tmp_path):
    root_dir = tmp_path / "root"
    make_root(addons, root_dir, "--check", status=2)
    first = pathlib.Path(make_root(addons, root_dir))
    assert first == (root_dir / "current").resolve()
    inode = first.stat().st_ino
    assert make_root(addons, root_dir) == make_root(addons, root_dir, "--check") == str(first)
    assert first.stat().st_ino == inode
    forced = pathlib.Path(make_root(addons, root_dir, "--force"))
    assert forced == first and forced.stat().st_ino != inode


def test_notices_changes_and_keeps_what_is_in_use(addons, tmp_path):
    root_dir = tmp_path / "root"
    first = pathlib.Path(make_root(addons, root_dir))
    held = os.open(first, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    generations = [first]
    for turn in range(3):
        os.utime(addons / "bootstrap.py", (turn, turn))
        assert "changed" in make_root(addons, root_dir, "--check", status=1)
        generations.append(pathlib.Path(make_root(addons, root_dir)))
        assert (root_dir / "current").resolve() == generations[-1]
    assert len(set(generations)) == 4
    # The one that a launcher holds stays, and the one before the last; the other is gone.
    assert [generation.exists() for generation in generations] == [True, False, True, True]
    os.close(held)
    make_root(addons, root_dir, "--force")
    assert not first.exists()


def test_contents(addons, tmp_path):
    generation = pathlib.Path(make_root(addons, tmp_path / "root"))
    root = generation / "rootfs"
    for path in entries(generation):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            # Inside the root, absolute links begin at the root.
            target = os.readlink(path)
            inside = root / target.lstrip("/") if target.startswith("/") else path.parent / target
            assert os.path.lexists(inside), f"{path} leads nowhere"
            continue
        assert status.st_mode & 0o6022 == 0, f"{path}: {stat.filemode(status.st_mode)}"
        assert status.st_mode & (0o555 if path.is_dir() else 0o444) in (0o555, 0o444)
        assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
        assert not stat.S_ISCHR(status.st_mode) and not stat.S_ISBLK(status.st_mode)
    for mount_point in ("workspace", "tmp", "dev", "proc"):
        assert list((root / mount_point).iterdir()) == []
    lines = [line.split("\t") for line in (generation / "runtimes.conf").read_text().splitlines()]
    assert [(len(line), line[0]) for line in lines] == [(5, "python")]
    assert (root / lines[0][3].split()[0].lstrip("/")).exists()
    assert (root / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100000
    assert "docle:x:1000:" in (root / "etc/passwd").read_text()
    assert list((generation / "empty").iterdir()) == []
    assert not list(root.glob("usr/lib/python3*/test/*")) and not list(root.glob("usr/lib/python3*/idlelib/*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user")
def test_works_for_anybody(addons, tmp_path):
    user = 54321
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, user, user)
    generation = pathlib.Path(make_root(addons, home / "root", user=user))
    assert {path.lstat().st_uid for path in entries(generation)} == {user}


@pytest.mark.parametrize("option", ["--runtime=x", "--nonsense", "--runtime"])
def test_refuses_what_it_does_not_know(addons, tmp_path, option):
    make_root(addons, tmp_path / "root", option, status=3)


@pytest.mark.parametrize("runtime", ["ruby=/usr/bin/python3", "python=/no/such/file", "python=relative", "node/../x=/bin/sh"])
def test_refuses_bad_runtimes(addons, tmp_path, runtime):
    make_root(addons, tmp_path / "root", "--runtime", runtime, status=3)
