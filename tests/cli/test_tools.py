"""What stands around the program: set-up, installation."""

import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess

import pytest

from conftest import BUILD, REPOSITORY, environment


def fake(folder, name, script):
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def run_setup(folder, *groups):
    env = environment(PATH=f"{folder}:{os.environ['PATH']}", LOG=str(folder / "log"))
    return subprocess.run([REPOSITORY / "tools" / "setup", *groups], env=env, check=False,
                          capture_output=True, text=True, timeout=60)


@pytest.fixture
def tools(folder):
    """apt-get and sudo that only write down what was asked of them."""
    fake(folder, "apt-get", 'echo "apt-get $*" >>"$LOG"\n')
    fake(folder, "sudo", 'echo sudo >>"$LOG"\nexec "$@"\n')
    return folder


def log(folder):
    path = folder / "log"
    return path.read_text() if path.exists() else ""


def test_setup_does_nothing_when_all_is_there(tools):
    fake(tools, "dpkg-query", 'shift 3\nfor p; do echo "installed $p"; done\n')
    assert run_setup(tools, "build", "test").returncode == 0
    assert log(tools) == ""


def test_setup_installs_what_is_missing_and_no_more(tools):
    fake(tools, "dpkg-query",
         'shift 3\nfor p; do case $p in gcc|meson) ;; libuv1-dev) echo "config-files $p" ;; '
         '*) echo "installed $p" ;; esac; done\n')
    assert run_setup(tools, "build").returncode == 0
    installs = [line for line in log(tools).splitlines() if " install " in line]
    assert len(installs) == 1
    assert installs[0].split("--no-install-recommends ")[1].split() == ["gcc", "meson", "libuv1-dev"]


def test_setup_says_what_to_type_without_rights(tools):
    fake(tools, "dpkg-query", "exit 0\n")
    fake(tools, "id", "echo 1000\n")
    os.unlink(tools / "sudo")
    paths = [path for path in os.environ["PATH"].split(":") if not pathlib.Path(path, "sudo").exists()]
    env = environment(PATH=":".join([str(tools), *paths]), LOG=str(tools / "log"))
    done = subprocess.run([REPOSITORY / "tools" / "setup", "build"], env=env, check=False,
                          capture_output=True, text=True, timeout=60)
    if any(pathlib.Path(path, "sudo").exists() for path in ("/usr/bin", "/bin")):
        pytest.skip("sudo cannot be hidden here")
    assert done.returncode == 1
    assert "apt-get install" in done.stderr and "meson" in done.stderr
    assert log(tools) == ""


def test_setup_refuses_unknown_groups(tools):
    assert run_setup(tools, "xyzzy").returncode == 2


def test_no_defence_can_be_switched_off():
    """--without is for builds with -Dtest_hooks=true alone."""
    done = subprocess.run([BUILD / "docle-launcher", "--without=seccomp"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--without=seccomp: unknown option" in done.stderr


def layers():
    path = REPOSITORY / "tools" / "layers"
    spec = importlib.util.spec_from_loader("layers", importlib.machinery.SourceFileLoader("layers", str(path)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path, text, good", [
    ("ui/Button.vue", "import { session } from '@/app/session'", False),
    ("ui/chart/Chart.vue", "import { session } from '../../app/session'", False),
    ("ui/Button.vue", "const later = () => import('@/pages/docs/DocsPage.vue')", False),
    ("ui/Button.vue", "import Card from './Card.vue'\nimport type { ApiError } from '@/api/client'", True),
    ("ui/Button.vue", "import { get } from '@/api/client'", False),
    ("ui/Button.vue", "export * from '@/app/session'", False),
    ("app/Shell.vue", "import Page from '@/pages/docs/DocsPage.vue'", False),
    ("app/router.ts", "import('@/pages/docs/DocsPage.vue')", True),
    ("lib/keys.ts", "import type { Schemas } from '@/api/client'", True),
    ("lib/keys.ts", "import type { Schemas } from '@/api/client'\nimport { get } from '@/api/client'", False),
    ("lib/keys.ts", "import {\n  get,\n} from '@/api/client'", False),
    ("lib/keys.ts", "import 'uplot'\nimport { ref } from 'vue'", True),
    ("pages/docs/DocsPage.vue", "import { session } from '@/app/session'", True),
    ("other/x.ts", "", False),
])
def test_layers_knows_the_imports_of_the_console(path, text, good):
    module = layers()
    assert (not list(module.console_trouble(module.CONSOLE / path, text))) == good
