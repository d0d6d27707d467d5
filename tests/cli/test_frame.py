"""Commands, options, help, settings."""

import json
import re
import subprocess

import pytest

from conftest import DOCLE, REPOSITORY, docle, environment


def commands():
    overview = docle("--help", check=0).stdout
    part = overview.split("Commands:\n")[1].split("\n\n")[0]
    names = []
    for line in part.splitlines():
        if found := re.match(r"  ([a-z-]+(?: [a-z]+)?)", line):
            names.append(found.group(1))
    return names


def test_overview_names_the_commands():
    wanted = {"serve", "run", "keys create", "keys list", "keys revoke", "doctor", "runtimes list",
              "runtimes refresh", "bench", "config", "version", "help"}
    assert wanted <= set(commands())


def test_no_command_is_an_error():
    assert docle(check=2).stdout.startswith("Usage: docle COMMAND")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(flag):
    for command in commands():
        shown = docle(*command.split(), flag, check=0).stdout
        assert shown.startswith(f"Usage: docle {command} ")
        assert shown == docle("help", *command.split(), check=0).stdout


def test_help_of_a_group_shows_all_of_it():
    shown = docle("help", "keys", check=0).stdout
    for word in ("create", "list", "revoke"):
        assert f"Usage: docle keys {word} " in shown


@pytest.mark.parametrize("typed, meant", [
    (["srve"], "serve"), (["keys", "crate"], "keys create"), (["runtime", "list"], "runtimes list"),
])
def test_near_commands_are_proposed(typed, meant):
    assert f"did you mean '{meant}'?" in docle(*typed, check=2).stderr


@pytest.mark.parametrize("typed, said", [
    (["config", "--slts", "3"], "did you mean '--slots'?"),
    (["config", "--xyzzy"], "unknown option '--xyzzy'"),
    (["config", "-x"], "unknown option"),
    (["config", "--slots"], "wants a value"),
    (["config", "extra"], "one operand too many"),
    (["keys", "create"], "--project NAME is needed"),
    (["keys", "revoke"], "ID is missing"),
])
def test_mistakes_are_named(typed, said):
    done = docle(*typed, check=2)
    assert said in done.stderr
    assert not done.stdout


def test_version():
    assert re.fullmatch(r"docle \d+\.\d+\.\d+\n", docle("version", check=0).stdout)
    assert docle("--version", check=0).stdout == docle("version").stdout
    assert json.loads(docle("version", "--json", check=0).stdout)["schema"] >= 1


def test_settings_in_order_of_strength(folder):
    file = folder / "docle.conf"
    file.write_text("slots = 3\n[history]\ndays = 3\n[queue]\nmax = 3\n")
    shown = json.loads(docle("config", "--json", "--config", file, "--slots", "5", check=0,
                             DOCLE_SLOTS="4", DOCLE_HISTORY_DAYS="4").stdout)
    values = {name: (setting["value"], setting["source"])
              for name, setting in shown["settings"].items()}
    assert values["slots"] == (5, "flag")
    assert values["history.days"] == (4, "environment")
    assert values["queue.max"] == (3, "file")
    assert values["floor"] == ("standard", "default")
    assert shown["file"] == str(file)
    assert docle("config", check=0, DOCLE_CONFIG=str(file)).stdout.count("; file") >= 3


@pytest.mark.parametrize("variable, said", [
    ("DOCLE_SLOT", "did you mean 'DOCLE_SLOTS'?"), ("DOCLE_XYZZY", "unknown environment variable"),
])
def test_unknown_variables_are_refused(variable, said):
    assert said in docle("config", check=2, **{variable: "1"}).stderr
    assert said in docle("serve", check=2, **{variable: "1"}).stderr


def test_variables_of_clients_and_tests_are_not_ours():
    docle("config", check=0, DOCLE_API_KEY="x", DOCLE_ENDPOINT="x", DOCLE_TEST_X="x")


def test_unknown_keys_are_refused_with_their_line(folder):
    file = folder / "docle.conf"
    file.write_text("slots = 3\n\nslotz = 4\n")
    assert f"{file}: line 3: unknown key 'slotz'; did you mean 'slots'?" in docle(
        "config", "--config", file, check=2).stderr


def test_the_example_of_the_settings_is_valid():
    text = (REPOSITORY / "packaging" / "docle.conf.example").read_text()
    docle("config", "--config", REPOSITORY / "packaging" / "docle.conf.example", check=0)
    # Its commented values are the defaults: switched on, they change nothing.
    plain = docle("config", "--json", check=0).stdout
    switched = "\n".join(line.removeprefix(";") for line in text.splitlines()
                         if not line.startswith("; ") and "token_file" not in line)
    with_values = subprocess.run([DOCLE, "config", "--json", "--config", "/dev/stdin"],
                                 input=switched, env=environment(), capture_output=True, text=True,
                                 check=True).stdout
    before = {name: setting["value"] for name, setting in json.loads(plain)["settings"].items()}
    after = {name: setting["value"] for name, setting in json.loads(with_values)["settings"].items()}
    assert before == after
