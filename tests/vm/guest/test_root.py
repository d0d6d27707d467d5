"""An administrator in a shell, besides test_product.py."""

import pathlib
import subprocess

from product import GROUPS, PATIENCE_S, call, environment, wait_for


def test_killed_in_a_shell(root_dir):
    """`docle run` in a group that is not the product's own: kill -9 leaves no group behind."""
    sleep = subprocess.Popen(["docle", "run", "--lang", "python", "--timeout-ms", "300000", "-"], text=True,
                             env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sleep.stdin.write("import time\nprint('up', flush=True)\ntime.sleep(1e6)")
    sleep.stdin.close()
    assert sleep.stdout.readline() == "up\n"
    own = pathlib.Path("/sys/fs/cgroup" + pathlib.Path("/proc/self/cgroup").read_text().strip().split("::")[1])
    parent = own.parent if own.name == "supervisor" else own
    trees = [path for path in parent.glob("docle.*") if path.is_dir()]
    assert trees
    sleep.kill()
    sleep.wait(PATIENCE_S)
    wait_for(lambda: not [path for path in trees if path.exists()], "the sweeper has swept")


def test_in_the_root_group(root_dir):
    """As on a host whose init makes no groups: the root of the tree may hold processes and groups."""
    def join():
        (GROUPS / "cgroup.procs").write_text("0")

    done = call("docle", "run", "--lang", "python", "--memory-mb", "64", "-", check=False, preexec_fn=join,
                input="print('up', flush=True)\nx = []\nwhile True: x.append(bytearray(1 << 20))")
    assert (done.returncode, done.stdout) == (137, "up\n"), done.stderr
    assert not list(GROUPS.glob("docle.*")) and not (GROUPS / "supervisor").exists()
