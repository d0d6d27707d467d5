"""O-01 to O-11: whatever a program writes or does not read, memory and answers stay bounded."""

import pathlib

import pytest

LONG = {"timeoutMs": 120000}


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmRSS")


def test_flood_is_cut_and_the_exit_code_kept(api, server):
    """O-01, O-04"""
    before = resident_mb(server.pid)
    result = api.run(
        "import sys\nfor _ in range(300): sys.stdout.write('x' * (1 << 20))\nsys.exit(7)",
        policy={"maxOutputBytes": 4096, **LONG},
    )
    assert (result["outcome"], result["exitCode"]) == ("error", 7)
    assert result["truncated"] == {"stdout": True, "stderr": False} and result["limits"] == ["output"]
    head, _, tail = result["stdout"].partition("\n\n")
    assert head == "x" * 4096
    assert tail.startswith("... (output truncated: ") and tail.rstrip("\n").endswith("exceeds limit of 4096 bytes)")
    assert resident_mb(server.pid) - before < 64


def test_endless_writer_times_out(api):
    """O-02"""
    result = api.run(
        "const s = 'y'.repeat(65536); (function go() { while (process.stdout.write(s)); process.stdout.once('drain', go) })()",
        "node", policy={"maxOutputBytes": 1024, "timeoutMs": 1500},
    )
    assert result["outcome"] == "timeout"
    assert set(result["limits"]) == {"wall", "output"} and result["truncated"]["stdout"]


def test_both_streams_share_the_limit(api):
    """O-03"""
    result = api.run(
        "import sys\nfor _ in range(2000):\n    print('o' * 99, flush=True); print('e' * 99, file=sys.stderr, flush=True)",
        policy={"maxOutputBytes": 20000, **LONG},
    )
    assert result["truncated"] == {"stdout": True, "stderr": True} or result["truncated"]["stdout"] or result["truncated"]["stderr"]
    kept = result["stdout"].count("o") + result["stderr"].count("e")
    assert kept <= 20000 + 200  # the closing lines hold a few of these letters
    assert "output" in result["limits"]


def test_order_and_bytes_hold(api):
    """O-04: many small writes."""
    result = api.run("import os\nfor i in range(20000): os.write(1, b'%d\\n' % i)", policy=LONG)
    assert result["stdout"] == "".join(f"{i}\n" for i in range(20000))
    assert result["truncated"] == {"stdout": False, "stderr": False}


def test_exactly_the_limit_is_not_truncated(api):
    result = api.run("print('x' * 1023)", policy={"maxOutputBytes": 1024})
    assert result["truncated"]["stdout"] is False and len(result["stdout"]) == 1024
    result = api.run("print('x' * 1024)", policy={"maxOutputBytes": 1024})
    assert result["truncated"]["stdout"] is True


def test_invalid_utf8_is_replaced(api):
    result = api.run("import sys; sys.stdout.buffer.write(b'a\\xff\\xc3(\\xed\\xa0\\x80\\xf0\\x9f\\x98 z')")
    assert result["stdout"].startswith("a\ufffd\ufffd(") and result["stdout"].endswith("\ufffd z")


def test_largest_output(api):
    size = 10 * 1024 * 1024
    result = api.run(
        f"import sys; sys.stdout.write('z' * {size})", policy={"maxOutputBytes": size, **LONG}
    )
    assert result["stdout"] == "z" * size and not result["truncated"]["stdout"]
    assert api.get(f"/api/run/{result['id']}").json() == result


def test_writes_to_other_descriptors(api):
    """O-09"""
    result = api.run(
        "import os\nbad = []\nfor fd in range(3, 1024):\n    try: os.write(fd, b'x'); bad.append(fd)\n    except OSError as e: assert e.errno in (9, 22), (fd, e)\nprint(bad)"
    )
    assert result["stdout"] == "[]\n"


@pytest.mark.parametrize("lang, code", [("python", "print('done')"), ("node", "console.log('done')")])
def test_unread_stdin(api, lang, code):
    """O-10"""
    result = api.run(code, lang, stdin="i" * (1 << 20))
    assert result["outcome"] == "ok" and result["stdout"] == "done\n"


@pytest.mark.parametrize("lang", ["python", "node"])
def test_stdin_ends(api, lang):
    """O-11"""
    code = {
        "python": "import sys; print(len(sys.stdin.read()), repr(sys.stdin.read()))",
        "node": "const b = require('fs').readFileSync(0); console.log(b.length, JSON.stringify(''))",
    }[lang]
    for stdin in ("", "abc", "x" * 200000):
        result = api.run(code, lang, **({"stdin": stdin} if stdin else {}))
        assert result["stdout"].split()[0] == str(len(stdin))
