"""docle keys, without a server."""

import json
import os
import re
import stat

from conftest import docle


def create(data, project="alpha", **more):
    return json.loads(docle("keys", "create", "--data-dir", data, "--project", project, "--json",
                            check=0, **more).stdout)


def listed(data, *flags):
    return json.loads(docle("keys", "list", "--data-dir", data, "--json", *flags, check=0).stdout)


def test_create_prints_what_others_rely_on(folder):
    made = create(folder / "data")
    assert set(made) == {"id", "key", "prefix", "project"}
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", made["key"])
    assert made["prefix"] == made["key"][:12]
    assert made["project"] == "alpha"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        made["id"])


def test_the_secret_is_nowhere_but_on_the_screen(folder):
    made = create(folder / "data")
    for path in (folder / "data").iterdir():
        assert made["key"].encode() not in path.read_bytes()
        assert made["key"][8:].encode() not in path.read_bytes()
    assert made["key"] not in docle("keys", "list", "--data-dir", folder / "data").stdout


def test_files_are_closed_to_others(folder):
    create(folder / "data")
    assert stat.S_IMODE(os.stat(folder / "data").st_mode) == 0o700
    for path in (folder / "data").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_list_and_revoke(folder):
    data = folder / "data"
    assert listed(data) == []
    one, two, three = create(data), create(data, "beta"), create(data)
    assert [key["id"] for key in listed(data)] == [one["id"], two["id"], three["id"]]
    assert [key["id"] for key in listed(data, "--project", "alpha")] == [one["id"], three["id"]]
    docle("keys", "revoke", "--data-dir", data, one["id"], check=0)
    docle("keys", "revoke", "--data-dir", data, two["prefix"], check=0)
    assert [key["active"] for key in listed(data)] == [False, False, True]
    docle("keys", "revoke", "--data-dir", data, one["id"], check=0)  # again: nothing to do


def test_revoking_nothing_is_an_error(folder):
    done = docle("keys", "revoke", "--data-dir", folder / "data", "sk_live_0000", check=1)
    assert "no key 'sk_live_0000'" in done.stderr
    assert "no such project" in docle("keys", "list", "--data-dir", folder / "data", "--project",
                                      "none", check=1).stderr


def test_for_people(folder):
    done = docle("keys", "create", "--data-dir", folder / "data", "-p", "alpha", "-n", "for tests",
                 check=0)
    assert re.match(r"sk_live_[0-9a-f]{48}\n", done.stdout)
    assert "for tests" in docle("keys", "list", "--data-dir", folder / "data", check=0).stdout


def test_a_damaged_database_is_said(folder):
    (folder / "data").mkdir()
    (folder / "data" / "docle.db").write_bytes(b"not a database" * 1000)
    done = docle("keys", "list", "--data-dir", folder / "data")
    assert done.returncode != 0
    assert str(folder / "data") in done.stderr
