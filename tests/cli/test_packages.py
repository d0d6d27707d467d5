"""docle packages and docle run --packages, with real packages of the configured registries."""

import json
import subprocess

import pytest

from conftest import DOCLE, PATIENCE_S, environment


@pytest.fixture
def docle(folder):
    """Runs a command on a data folder of its own."""

    def run(*arguments, code=None):
        return subprocess.run([DOCLE, *map(str, arguments)], env=environment(DOCLE_DATA_DIR=str(folder / "data")),
                              input=code, capture_output=True, text=True, timeout=PATIENCE_S * 3, check=False)

    return run


def test_life_of_a_set(docle):
    assert docle("packages", "list").stdout == "No packages are installed.\n"
    installed = docle("packages", "install", "six==1.16.0")
    assert (installed.returncode, installed.stdout) == (0, "six 1.16.0\n"), installed.stderr
    node = docle("packages", "install", "--lang", "node", "--json", "ms@2.1.3")
    assert json.loads(node.stdout)[0]["version"] == "2.1.3", node.stderr
    listed = json.loads(docle("packages", "list", "--json").stdout)
    assert [(one["record"]["kind"], one["record"]["specs"], one["current"]) for one in listed] == [
        ("pip", ["six==1.16.0"], True), ("npm", ["ms@2.1.3"], True)]
    ran = docle("run", "-", "--lang", "python", "--packages", "SIX == 1.16.0", code="import six; print(six.__version__)")
    assert (ran.returncode, ran.stdout) == (0, "1.16.0\n"), ran.stderr
    assert len(json.loads(docle("packages", "list", "--json").stdout)) == 2
    assert docle("packages", "prune").stdout.startswith("0 removed; 2 are left")
    assert docle("packages", "prune", "--all").stdout.startswith("2 removed; 0 are left")
    assert json.loads(docle("packages", "list", "--json").stdout) == []


def test_warm(docle):
    warmed = docle("packages", "warm", "--packages-warm", "python: six==1.16.0; node: ms@2.1.3")
    assert (warmed.returncode, warmed.stdout) == (0, "six 1.16.0\nms 2.1.3\n"), warmed.stderr
    wrong = docle("packages", "warm", "--packages-warm", "perl: x")
    assert wrong.returncode == 1 and "language" in wrong.stderr, wrong


def test_folder_with_a_manifest(docle, folder):
    program = folder / "program"
    program.mkdir()
    (program / "main.py").write_text("import six; print(six.__version__)")
    (program / "requirements.txt").write_text("six==1.15.0\n")
    assert docle("run", program).stdout == "1.15.0\n"
    assert docle("run", "--packages", "", program).returncode == 1


def test_failures(docle):
    bad = docle("packages", "install", "../x")
    assert bad.returncode == 1 and "path" in bad.stderr, bad
    missing = docle("packages", "install", "six==0.0.0.1")
    assert missing.returncode == 1 and "No matching distribution" in missing.stderr, missing
    refused = docle("run", "-", "--lang", "python", "--packages", "git+https://host.invalid/x", code="1")
    assert refused.returncode == 125 and "git" in refused.stderr, refused
    failed = docle("run", "-", "--lang", "python", "--packages", "six==0.0.0.1", code="print(1)")
    assert failed.returncode == 1 and failed.stderr.startswith("Package installation failed:"), failed
    as_json = docle("run", "-", "--json", "--lang", "python", "--packages", "six==0.0.0.1", code="print(1)")
    assert json.loads(as_json.stdout)["outcome"] == "install_failed"


def test_commas_in_ranges(docle):
    ran = docle("run", "-", "--lang", "python", "--packages", "six>=1.15,<1.16,toml==0.10.2",
                code="import six, toml; print(six.__version__, toml.__version__)")
    assert ran.stdout == "1.15.0 0.10.2\n", ran.stderr
