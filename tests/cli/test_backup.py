"""docle backup and restore."""

import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import time
import urllib.request

import pytest

from conftest import DOCLE, docle, environment, needs_root
from test_keys import create, listed


def backup(data, file, **more):
    return json.loads(docle("backup", "--data-dir", data, "--json", file, check=0, **more).stdout)


def restore(data, file, *flags):
    return json.loads(docle("restore", "--data-dir", data, "--json", *flags, file, check=0).stdout)


def refused(data, file, *flags):
    """What a restore says that fails."""
    done = docle("restore", "--data-dir", data, *flags, file)
    assert done.returncode in (1, 2) and done.stdout == ""
    return done.stderr


def run(server, key, code="print(1)"):
    request = urllib.request.Request(
        server.base + "/api/run", json.dumps({"lang": "python", "code": code}).encode(),
        {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def get(server, key, run_id):
    request = urllib.request.Request(f"{server.base}/api/run/{run_id}",
                                     headers={"Authorization": "Bearer " + key})
    return json.load(urllib.request.urlopen(request))


def beside(data):
    """What lies in the data folder but the database, its log, and its locks."""
    known = {"docle.db", "docle.db-wal", "docle.db-shm", "docle.db-changes", "docle.db-server"}
    return sorted(path.name for path in data.iterdir() if path.name not in known)


def test_there_and_back(folder):
    made = create(folder / "data")
    told = backup(folder / "data", folder / "one")
    assert told["projects"] == 1 and told["runs"] == 0
    assert told["bytes"] == (folder / "one").stat().st_size
    assert stat.S_IMODE((folder / "one").stat().st_mode) == 0o600
    create(folder / "data", "beta")
    back = restore(folder / "data", folder / "one")
    assert [key["id"] for key in listed(folder / "data")] == [made["id"]]
    with contextlib.closing(sqlite3.connect(back["replaced"])) as kept:  # what was there is whole
        assert kept.execute("SELECT COUNT(*) FROM projects").fetchone() == (2,)
    assert beside(folder / "data") == [os.path.basename(back["replaced"])]


def test_into_a_new_folder(folder):
    made = create(folder / "data")
    backup(folder / "data", folder / "one")
    assert restore(folder / "new", folder / "one")["replaced"] is None
    assert [key["id"] for key in listed(folder / "new")] == [made["id"]]
    assert beside(folder / "new") == []


def test_through_pipes(folder):
    made = create(folder / "data")
    with open(folder / "one", "wb") as file:
        subprocess.run([DOCLE, "backup", "--data-dir", folder / "data", "-"], stdout=file,
                       env=environment(), check=True)
    with open(folder / "one", "rb") as file:
        subprocess.run([DOCLE, "restore", "--data-dir", folder / "new", "-"], stdin=file,
                       stdout=subprocess.DEVNULL, env=environment(), check=True)
    assert [key["id"] for key in listed(folder / "new")] == [made["id"]]


def test_beside_a_working_server(folder, serve):
    key = create(folder / "data")["key"]
    server = serve()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        early = [pool.submit(run, server, key) for _ in range(20)]
        acknowledged = [future.result()["id"] for future in early]
        late = [pool.submit(run, server, key) for _ in range(20)]
        told = backup(folder / "data", folder / "one")
        assert all(future.result()["ok"] for future in late)
    assert 20 <= told["ledger"] <= 40
    assert "another server uses" in refused(folder / "data", folder / "one")
    assert server.stop() == 0
    restore(folder / "new", folder / "one")
    server = serve(data="new")
    for run_id in acknowledged:
        assert get(server, key, run_id)["stdout"] == "1\n"
    assert run(server, key)["ok"]


def test_nothing_is_overwritten(folder):
    create(folder / "data")
    (folder / "one").write_text("mine")
    done = docle("backup", "--data-dir", folder / "data", folder / "one", check=1)
    assert "File exists" in done.stderr
    assert (folder / "one").read_text() == "mine"


def test_no_database_is_an_error_and_leaves_nothing(folder):
    done = docle("backup", "--data-dir", folder / "data", folder / "one", check=1)
    assert "database" in done.stderr
    assert not (folder / "one").exists()


def truncated(path):
    path.write_bytes(path.read_bytes()[:-8192])


def damaged(path):
    content = bytearray(path.read_bytes())
    content[4096 + 8:4096 + 2000] = random.Random(1).randbytes(1992)
    path.write_bytes(content)


def newer(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("INSERT INTO migrations VALUES (9999, 'later', 0)")


def foreign(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE projects (id TEXT)")


@pytest.mark.parametrize("spoil, said", [
    (lambda path: path.write_bytes(b""), "it is empty"),
    (lambda path: path.write_text("no database at all, " * 100), "not a SQLite database"),
    (truncated, "damaged"),
    (damaged, "damaged"),
    (newer, "it has schema 9999"),
    (foreign, "not one of docle's"),
], ids=["empty", "text", "truncated", "damaged", "newer", "foreign"])
def test_a_bad_backup_changes_nothing(folder, spoil, said):
    made = create(folder / "data")
    backup(folder / "data", folder / "one")
    spoil(folder / "one")
    assert said in refused(folder / "data", folder / "one")
    assert beside(folder / "data") == []
    assert [key["id"] for key in listed(folder / "data")] == [made["id"]]


def test_a_broken_database_goes_only_by_force(folder):
    made = create(folder / "data")
    backup(folder / "data", folder / "one")
    (folder / "data" / "docle.db").write_text("what a failing disk leaves" * 400)
    (folder / "data" / "docle.db-wal").write_bytes(b"a log that belongs to it")
    assert "the present database" in refused(folder / "data", folder / "one")
    told = restore(folder / "data", folder / "one", "--force")
    assert [key["id"] for key in listed(folder / "data")] == [made["id"]]
    with open(told["replaced"], encoding="ascii") as kept:
        assert kept.read().startswith("what a failing disk leaves")
    with open(told["replaced"] + "-wal", "rb") as kept:
        assert kept.read() == b"a log that belongs to it"


def test_not_while_somebody_has_it_open(folder):
    create(folder / "data")
    backup(folder / "data", folder / "one")
    holder = sqlite3.connect(folder / "data" / "docle.db")
    holder.execute("SELECT COUNT(*) FROM projects").fetchone()
    try:
        for flags in ((), ("--force",)):
            said = refused(folder / "data", folder / "one", *flags)
            assert "locked" in said or "open" in said
    finally:
        holder.close()
    assert len(listed(folder / "data")) == 1


def test_kills_leave_the_old_or_the_new(folder):
    old = create(folder / "data")
    backup(folder / "data", folder / "one")
    new = create(folder / "data", "beta")
    backup(folder / "data", folder / "two")
    seen = set()
    random_delay = random.Random(2)
    for i in range(40):
        file = folder / ("one", "two")[i % 2]
        process = subprocess.Popen([DOCLE, "restore", "--data-dir", folder / "data", file],
                                   env=environment(), stdout=subprocess.DEVNULL)
        time.sleep(random_delay.uniform(0, 0.03))
        process.kill()
        process.wait()
        ids = [key["id"] for key in listed(folder / "data")]
        assert ids in ([old["id"]], [old["id"], new["id"]])
        seen.add(len(ids))
    backup(folder / "data", folder / "three")  # sweeps what the killed ones left
    assert not [name for name in beside(folder / "data") if ".copy-" in name]


@needs_root
def test_a_full_disk(folder):
    create(folder / "data")
    small = folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", small], check=True)
    try:
        done = docle("backup", "--data-dir", folder / "data", small / "one", check=1)
        assert "No space left" in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)
    assert beside(folder / "data") == []


@needs_root
def test_root_keeps_backups_where_the_server_sees_none(folder):
    data = folder / "data"
    made = create(data)
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.chown(data, 65534, 65534)
    for path in data.iterdir():
        shutil.chown(path, 65534, 65534)
    os.chmod(folder, 0o755)
    backup(data, closed / "one")
    assert (closed / "one").stat().st_uid == 0
    restore(data, closed / "one")
    assert {path.stat().st_uid for path in data.iterdir()} == {65534}
    assert [key["id"] for key in listed(data)] == [made["id"]]
