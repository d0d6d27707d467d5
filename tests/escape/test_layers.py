"""Package layers: a run sees its own, read-only, and nobody else's."""

import json
import os
import pathlib
import tempfile
import time

import pytest

from launcher import Launcher

FIRST, SECOND, POISONED, ABSENT = (bytes([n] * 16) for n in (0xAA, 0xBB, 0xCC, 0xDD))
THREADS, LARGE, NUMPY, RANDOM = (bytes([n] * 16) for n in (0xEE, 0x99, 0x77, 0x66))
DRAWS = ("const c = require('crypto'); Math.random(); c.randomUUID(); c.randomInt(9);"
         "module.exports = { random: Math.random, uuid: c.randomUUID, int: c.randomInt };")
SEEDED = "import os\ndef seed():\n    global state\n    state = os.urandom(8).hex()\nseed()\n"  # as numpy's does
THREAD_CODE = "import threading, time; threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()"
IMPORTED = "import sys; print({name!r} in sys.modules); import {name}"
WHERE = "import sysconfig, site; place = site.getsitepackages()[0]\n"

REPORT = WHERE + """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
found = {}
def attempt(name, act):
    try:
        act()
        found[name] = 0
    except OSError as error:
        found[name] = error.errno
def call(number, *args):
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), "")
file = place + "/first/__init__.py"
attempt("write", lambda: open(file, "r+"))
attempt("create", lambda: open(place + "/new", "w"))
attempt("unlink", lambda: os.unlink(file))
attempt("rename", lambda: os.rename(file, place + "/other"))
attempt("rmdir", lambda: os.rmdir(place + "/first"))
attempt("mkdir", lambda: os.mkdir(place + "/new"))
attempt("chmod", lambda: os.chmod(file, 0o777))
attempt("utime", lambda: os.utime(file, (0, 0)))
attempt("truncate", lambda: os.truncate(file, 0))
attempt("link", lambda: os.link(file, "/workspace/link"))
attempt("bind over", lambda: call(165, b"/tmp", place.encode(), None, 4096, None))
attempt("remount", lambda: call(165, None, place.encode(), None, 32 | 4096, None))
attempt("umount", lambda: call(166, place.encode(), 2))
attempt("by fd", lambda: os.open(f"/proc/self/fd/{os.open(file, os.O_RDONLY)}", os.O_RDWR))
print(json.dumps(found))
"""


def write(top, layer, files):
    for name, content in files.items():
        path = top / layer.hex() / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture(scope="module")
def layers():
    """As the API process makes them: its own, below a folder that nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="docle-layers-") as private:
        top = pathlib.Path(private, "layers")
        top.mkdir()
        top.chmod(0o711)
        write(top, FIRST, {"first/__init__.py": "name = 'first'\n", "first.pth": "import first\n",
                           "bin/tool": "#!/bin/sh\n"})
        write(top, SECOND, {"common/index.js": "module.exports = 'common'",
                            "esm/package.json": '{"name":"esm","type":"module","exports":"./i.mjs"}',
                            "esm/i.mjs": "import c from 'common'; export default `esm ${c}`"})
        for layer, name, code in ((THREADS, "threads", THREAD_CODE), (LARGE, "large", "x = bytearray(b'x') * (300 << 20)")):
            write(top, layer, {f"{name}.py": code, f"{name}-1.dist-info/METADATA": f"Name: {name}\nVersion: 1\n",
                               f"{name}-1.dist-info/top_level.txt": name})
        write(top, RANDOM, {"drawn/index.js": DRAWS})
        write(top, NUMPY, {"numpy/__init__.py": "from . import random\n", "numpy/random/__init__.py": SEEDED,
                           "numpy-1.dist-info/METADATA": "Name: numpy\nVersion: 1\n",
                           "numpy-1.dist-info/top_level.txt": "numpy"})
        write(top, FIRST, {"first-1.dist-info/METADATA": "Name: first\nVersion: 1\n",
                           "first-1.dist-info/RECORD": "first/__init__.py,,\n"})
        elsewhere = pathlib.Path(private, "secret")
        elsewhere.mkdir()
        (elsewhere / "first.py").write_text("name = 'secret'\n")
        (top / POISONED.hex()).mkdir()
        (top / POISONED.hex() / "tree").symlink_to(elsewhere)
        for folder, names, files in os.walk(private) if os.geteuid() == 0 else ():
            for name in [".", *names, *files]:
                os.chown(pathlib.Path(folder, name), 65534, 65534, follow_symlinks=False)
        yield top


@pytest.fixture(scope="module", params=[0, 1], ids=["fork", "spare"])
def launcher(request, sealed, layers):
    """Once with runs that are forked for the purpose, once with ones that were sealed ahead."""
    program, root = sealed
    spares = [f"--spares={lang}={request.param}" for lang in ("python", "node")]
    with Launcher(program, root, options=["--layers", str(layers), *spares]) as made:
        yield made


def output(ended):
    assert ended.outcome == "exited 0", ended
    return ended.out.strip()


def test_python_imports(launcher):
    assert output(launcher.run("import first; print(first.name)", layer=FIRST)) == "first"


def test_python_in_a_child(launcher):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import first; print(first.name)'])"
    assert output(launcher.run(code, layer=FIRST)) == "first"


@pytest.mark.parametrize("lang, name", [("node", "main.js"), ("node", "deep/er/file.js")])
def test_node_requires_and_imports(launcher, lang, name):
    program = b"console.log(require('common')); import('esm').then((m) => console.log(m.default))"
    files = {name: program} if name != "main.js" else {}
    code = program.decode() if name == "main.js" else f"require('./{name}')"
    assert output(launcher.run(code, lang, files=files, layer=SECOND)) == "common\nesm common"


def test_node_static_import(launcher):
    files = {"package.json": b'{"type":"module"}'}
    code = "import m from 'esm'; import c from 'common'; console.log(m, c)"
    assert output(launcher.run(code, "node", files=files, layer=SECOND)) == "esm common common"


def test_without_layer_there_is_nothing(launcher):
    assert output(launcher.run(WHERE + "import os; print(os.listdir(place))")) == "[]"
    assert launcher.run("import first").outcome == "exited 1"
    assert launcher.run("require('common')", "node").outcome == "exited 1"


def test_read_only(launcher, layers):
    found = json.loads(output(launcher.run(REPORT, layer=FIRST)))
    assert {name for name, errno in found.items() if not errno} == set(), found
    assert (layers / FIRST.hex() / "tree/first/__init__.py").read_text() == "name = 'first'\n"
    assert output(launcher.run("import first; print(first.name)", layer=FIRST)) == "first"


def test_other_layers_are_out_of_sight(launcher):
    code = """
import os
seen = []
for top, folders, files in os.walk("/"):
    seen += [os.path.join(top, name) for name in folders + files if name in %r]
print(seen)
""" % ([layer.hex() for layer in (FIRST, SECOND, POISONED)],)
    assert output(launcher.run(code, layer=FIRST)) == "[]"


def test_nodes_and_ids_do_not_count(launcher):
    flags = ("print([line.split()[5] for line in open('/proc/self/mountinfo')"
             " if line.split()[4] == place][0])")
    words = set(output(launcher.run(WHERE + flags, layer=FIRST)).split(","))
    assert {"ro", "nosuid", "nodev"} <= words


# Maps of a file of the layer as well as what the process sees of itself; then every text that /proc has about it.
VIEWS = {"python": WHERE + """
import mmap, os
file = open(place + "/first/__init__.py", "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
for top in ("/proc/self", "/proc/self/task/%d" % os.getpid(), "/proc/self/fdinfo", "/proc/self/ns", "/proc/self/fd"):
    for name in os.listdir(top):
        path = os.path.join(top, name)
        try:
            if os.path.islink(path):
                print(path, os.readlink(path))
            elif name not in ("mem", "pagemap", "clear_refs") and os.path.isfile(path):
                print(path, open(path, "rb").read(1 << 20).decode(errors="replace").replace(chr(0), " "))
        except OSError:
            pass
""", "node": """
const fs = require('fs');
fs.openSync('/node_modules/common/index.js');
for (const top of ['/proc/self', '/proc/self/fdinfo', '/proc/self/fd']) {
  for (const name of fs.readdirSync(top)) {
    const path = `${top}/${name}`;
    try {
      const info = fs.lstatSync(path);
      if (info.isSymbolicLink()) console.log(path, fs.readlinkSync(path));
      else if (info.isFile() && !['mem', 'pagemap', 'clear_refs'].includes(name)) {
        console.log(path, String(fs.readFileSync(path)));
      }
    } catch { /* not ours to read */ }
  }
}
"""}


def host_words(layers):
    """What would give away where the layers are: every folder on the way, and the layers' names."""
    return [layers.parent.name, str(layers.parent.parent), FIRST.hex(), SECOND.hex(), "/tree", "docle-layers"]


@pytest.mark.parametrize("lang, layer", [("python", FIRST), ("node", SECOND)])
def test_the_host_is_out_of_sight(launcher, layers, lang, layer):
    """A mount table shows where in its file system a mount has its root."""
    out = launcher.run(VIEWS[lang], lang, layer=layer).out
    lines = [line for line in out.splitlines() if " overlay packages " in line]
    assert lines and all(" / /" in line for line in lines), out[-3000:]
    # The temporary folder's own name also occurs inside.
    words = [word for word in host_words(layers) if word not in ("/tmp", "/")]
    assert [line for line in out.splitlines() if any(word in line for word in words)] == []


def test_a_link_is_not_followed(launcher):
    """Whoever took over the API process could put one there."""
    ended = launcher.run("import first; print(first.name)", layer=POISONED)
    assert ended.outcome == "sandbox_error -1", ended
    assert "secret" not in ended.out


def test_absent_layer(launcher):
    assert launcher.run("print(1)", layer=ABSENT).outcome == "sandbox_error -1"
    assert output(launcher.run("print(1)")) == "1"


def test_launcher_without_layers(sealed):
    program, root = sealed
    with Launcher(program, root) as launcher:
        assert launcher.run("print(1)", layer=FIRST).outcome == "sandbox_error -1"
        assert output(launcher.run("print(1)")) == "1"


# --- zygotes with packages ----------------------------------------------------------------------------------------


@pytest.fixture
def warm_launcher(sealed, layers):
    program, root = sealed
    with Launcher(program, root, options=["--layers", str(layers), "--warm", "2", "--warm-mb", "256"]) as made:
        yield made


def imported(launcher, layer, name):
    """Is it imported before the program does?"""
    return output(launcher.run(IMPORTED.format(name=name), layer=layer)) == "True"


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_warm(warm_launcher):
    assert not imported(warm_launcher, FIRST, "first")
    warm_launcher.warm(FIRST, "first\n")
    wait_for(lambda: imported(warm_launcher, FIRST, "first"))
    assert output(warm_launcher.run("import sys; print('first' in sys.modules)")) == "False"
    found = json.loads(output(warm_launcher.run(REPORT, layer=FIRST)))
    assert {name for name, errno in found.items() if not errno} == set(), found
    report = ("import os; print(os.getuid(), os.getpid(), [l.split()[1] for l in open('/proc/self/status')"
              " if l.startswith(('CapEff', 'CapBnd', 'Seccomp:', 'NoNewPrivs'))], os.listdir('/proc/self/fd')[:3],"
              " sorted(os.environ))")
    assert output(warm_launcher.run(report, layer=FIRST)) == output(warm_launcher.run(report))


@pytest.mark.parametrize("lang, layer, name", [("python", FIRST, "first"), ("node", SECOND, "common")])
def test_the_host_is_out_of_sight_of_a_warm_one(warm_launcher, layers, lang, layer, name):
    warm_launcher.warm(layer, name, lang=lang)
    wait_for(lambda: "with packages" in warm_launcher.log())
    out = warm_launcher.run(VIEWS[lang], lang, layer=layer).out
    assert " overlay packages " in out
    words = [word for word in host_words(layers) if word not in ("/tmp", "/")]
    assert [line for line in out.splitlines() if any(word in line for word in words)] == []


def test_warm_is_replaced(warm_launcher):
    warm_launcher.warm(FIRST, "first")
    wait_for(lambda: imported(warm_launcher, FIRST, "first"))
    warm_launcher.warm(SECOND, "nothing-such")
    assert output(warm_launcher.run("import first; print(first.name)", layer=FIRST)) == "first"
    assert output(warm_launcher.run("print(1)", layer=SECOND)) == "1"


def test_forks_draw_other_numbers(warm_launcher):
    """The generator that numpy makes at its import would be the same in all forks."""
    warm_launcher.warm(NUMPY, "numpy")
    wait_for(lambda: imported(warm_launcher, NUMPY, "numpy"))
    states = {output(warm_launcher.run("import numpy; print(numpy.random.state)", layer=NUMPY)) for _ in range(8)}
    assert len(states) == 8, states


def loaded(launcher, layer, path):
    return output(launcher.run(f"console.log(Object.keys(require.cache).includes('/node_modules/{path}'))", "node",
                               layer=layer)) == "true"


def test_warm_node(warm_launcher):
    """CommonJS and ES modules; a package of the program's own comes first all the same."""
    assert not loaded(warm_launcher, SECOND, "common/index.js")
    warm_launcher.warm(SECOND, "common\nesm\nnothing-such\n", lang="node")
    wait_for(lambda: loaded(warm_launcher, SECOND, "common/index.js"))
    code = "console.log(require('common')); import('esm').then((m) => console.log(m.default))"
    assert output(warm_launcher.run(code, "node", layer=SECOND)) == "common\nesm common"
    own = {"node_modules/common/index.js": b"module.exports = 'own'"}
    assert output(warm_launcher.run("console.log(require('common'))", "node", files=own, layer=SECOND)) == "own"
    report = ("console.log(process.pid, process.getuid(), Object.keys(process.env).sort().join(),"
              " require('fs').readdirSync('/proc/self/fd').length, process.argv.join(), module.children.length)")
    assert output(warm_launcher.run(report, "node", layer=SECOND)) == output(warm_launcher.run(report, "node"))
    assert output(warm_launcher.run("try { require('common') } catch (e) { console.log(e.code) }", "node")) == (
        "MODULE_NOT_FOUND")


def test_node_forks_draw_other_numbers(warm_launcher):
    """What a package draws at its import fills stores of random numbers that all forks would share."""
    warm_launcher.warm(RANDOM, "drawn", lang="node")
    wait_for(lambda: loaded(warm_launcher, RANDOM, "drawn/index.js"))
    code = ("const d = require('drawn'); const c = require('crypto'); console.log(Math.random(), c.randomUUID(),"
            " c.randomInt(2 ** 40), d.random(), d.uuid(), d.int(2 ** 40), d.int(5, 6), c.randomBytes(8).toString('hex'))")
    lines = [output(warm_launcher.run(code, "node", layer=RANDOM)).split() for _ in range(8)]
    for column, values in enumerate(zip(*lines)):
        assert len(set(values)) == (1 if column == 6 else 8), values


@pytest.mark.parametrize("layer, name", [(THREADS, "threads"), (LARGE, "large"), (ABSENT, "absent")])
def test_what_cannot_be_warm_is_mounted(warm_launcher, layer, name):
    """Threads that forks would miss; more memory than there is for it; a layer that is not there."""
    warm_launcher.warm(layer, name)
    wait_for(lambda: warm_launcher.log().count("zygote 2") >= 3)
    if layer != ABSENT:
        assert not imported(warm_launcher, layer, name)
    assert output(warm_launcher.run("print(1)")) == "1"


def test_no_more_than_the_operator_says(sealed, layers):
    """A server that asks for what it may not have is not answered any more."""
    program, root = sealed
    for options, number in (([], 0), (["--warm", "1", "--warm-mb", "256"], 1)):
        with Launcher(program, root, options=["--layers", str(layers), *options]) as launcher:
            assert output(launcher.run("print(1)")) == "1"
            launcher.warm(FIRST, "first", number)
            with pytest.raises(AssertionError):
                launcher.run("print(1)")
            assert "WARM with a field out of range" in launcher.log()
