"""What the original's clients rely on, and what is new beside it."""

import base64
import re

import pytest

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def test_answer_has_the_shape_of_the_original(api):
    result = api.run('print("Hello, Docle!")')
    assert UUID.match(result["id"])
    assert result["ok"] is True and result["exitCode"] == 0
    assert result["stdout"] == "Hello, Docle!\n" and result["stderr"] == ""
    assert set(result["usage"]) == {"cpuMs", "memMB", "durationMs"}
    assert result["usage"]["durationMs"] >= 1 and result["usage"]["memMB"] >= 1
    assert result["outcome"] == "ok" and result["limits"] == []
    assert "signal" not in result and "files" not in result and "message" not in result


def test_node(api):
    result = api.run("console.log([1, 2, 3].map((n) => n * n)); console.error('e')", "node")
    assert result["stdout"] == "[ 1, 4, 9 ]\n" and result["stderr"] == "e\n"


@pytest.mark.parametrize(
    "files, entrypoint, lang, expected",
    [
        ([("main.py", "import lib.a\nprint(lib.a.x)"), ("lib/a.py", "x = 5")], None, "python", "5\n"),
        ([("b.py", "print('b')"), ("main.py", "print('m')")], "b.py", "python", "b\n"),
        ([("sub/run.py", "print(open('data.txt').read())"), ("data.txt", "d")], "sub/run.py", "python", "d\n"),
        ([("main.js", "console.log(require('./lib').x)"), ("lib.js", "exports.x = 6")], None, "node", "6\n"),
        ([("main.mjs", "import {x} from './l.mjs'; console.log(await x)"), ("l.mjs", "export const x = Promise.resolve(7)")], None, "node", "7\n"),
    ],
    ids=["package", "entrypoint", "folder", "require", "modules"],
)
def test_files(api, files, entrypoint, lang, expected):
    fields = {"files": [{"path": path, "content": content} for path, content in files]}
    if entrypoint:
        fields["entrypoint"] = entrypoint
    result = api.run(lang=lang, **fields)
    assert result["stdout"] == expected, result


def test_files_win_over_code(api):
    files = [{"path": "main.py", "content": "print('files')"}]
    assert api.run("print('code')", files=files)["stdout"] == "files\n"
    assert api.run("", files=files)["stdout"] == "files\n"


def test_unknown_fields_are_ignored(api):
    assert api.run("print(1)", demo_mode=True, nested={"a": [1, {}]})["ok"]


def test_input(api):
    result = api.run(
        "import os, sys; print([sys.stdin.read(), sys.argv[1:], os.environ['A'], os.environ['B']])",
        stdin="in\nput", args=["-v", "", "a b", "ü"], env={"A": "1", "B": "x=y"},
    )
    assert result["stdout"] == "['in\\nput', ['-v', '', 'a b', 'ü'], '1', 'x=y']\n"
    result = api.run(
        "console.log(JSON.stringify([require('fs').readFileSync(0, 'utf8'),"
        " process.argv.slice(2), process.env.A]))",
        "node", stdin="x", args=["1", "2"], env={"A": "b"},
    )
    assert result["stdout"] == '["x",["1","2"],"b"]\n'


def test_artifacts(api):
    code = (
        "import os; os.makedirs('out/deep'); open('out/a.bin','wb').write(bytes(range(256)));"
        "open('out/deep/b.txt','w').write('b'); open('skip.md','w').write('no')"
    )
    result = api.run(code, artifacts=["out/**"])
    files = {file["path"]: base64.b64decode(file["content"]) for file in result["files"]}
    assert files == {"out/a.bin": bytes(range(256)), "out/deep/b.txt": b"b"}
    assert {file["size"] for file in result["files"]} == {256, 1}
    assert api.run("pass", artifacts=["*.txt"])["files"] == []


def test_base64_files(api):
    blob = bytes(range(256)) * 3
    result = api.run(files=[
        {"path": "main.py", "content": "import sys; sys.stdout.write(str(sum(open('b','rb').read())))"},
        {"path": "b", "content": base64.b64encode(blob).decode(), "encoding": "base64"},
    ])
    assert result["stdout"] == str(sum(blob))


def test_usage_is_measured(api):
    busy = api.run(
        "import time\nx = bytearray(80 << 20)\nend = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass",
        policy={"timeoutMs": 60000},
    )
    assert busy["usage"]["cpuMs"] >= 400
    assert busy["usage"]["durationMs"] >= 400
    assert 80 <= busy["usage"]["memMB"] <= 256
    idle = api.run("import time; time.sleep(0.5)", policy={"timeoutMs": 60000})
    assert idle["usage"]["durationMs"] >= 400 > idle["usage"]["cpuMs"]


def test_bare_key_is_accepted(api, key):
    assert api.run("print(1)", headers={"Authorization": key["key"]})["ok"]


def test_no_content_type_is_taken_as_json(api):
    answer = api.request("POST", "/api/run", data=b'{"code":"print(1)","lang":"python"}')
    assert answer.status_code == 200 and answer.json()["stdout"] == "1\n"


def test_lang_follows_the_entry_point(api):
    assert api.post("/api/run", {"files": [{"path": "main.js", "content": "console.log(1)"}],
                                 "entrypoint": "main.js", "lang": "node"}).json()["ok"]


def test_runs_are_alone(api):
    """Nothing of one run is there for the next."""
    leave = "import os; open('/tmp/x','w').write('x'); open('/workspace/y','w').write('y')"
    look = "import os; print(sorted(os.listdir('/tmp')), sorted(os.listdir('/workspace')))"
    api.run(leave)
    for _ in range(10):
        assert api.run(look)["stdout"] == "[] ['main.py']\n"


def test_random_numbers_differ(api):
    code = "import os, random, uuid; print(os.urandom(8).hex(), random.random(), uuid.uuid4())"
    values = [api.run(code)["stdout"].split() for _ in range(20)]
    assert all(len(set(column)) == 20 for column in zip(*values))
    code = "const c = require('crypto'); console.log(c.randomBytes(8).toString('hex'), Math.random(), c.randomUUID())"
    values = [api.run(code, "node")["stdout"].split() for _ in range(20)]
    assert all(len(set(column)) == 20 for column in zip(*values))


@pytest.mark.parametrize(
    "text",
    ["\x00", "é\u2028\U0001f600", "</script>\x1b]0;title\x07", "a" * 65536 + "\n", "\\\"\r\n\t\x7f"],
    ids=["nul", "unicode", "escapes", "long", "quotes"],
)
@pytest.mark.parametrize("lang", ["python", "node"])
def test_output_is_exact(api, lang, text):
    """O-06: what a program writes is what the client reads."""
    data = base64.b64encode(text.encode()).decode()
    code = (
        f"import sys, base64; sys.stdout.buffer.write(base64.b64decode('{data}'))"
        if lang == "python"
        else f"process.stdout.write(Buffer.from('{data}', 'base64'))"
    )
    assert api.run(code, lang)["stdout"] == text


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE runs; --", '" OR 1=1 --', "%_%", "${7*7}{{7*7}}", "\\u0000$.a[*]", "a\\", "ü\U0001f600"],
)
def test_metacharacters_make_no_difference(api, text):
    """A-30: in each string field that is stored or looked up."""
    result = api.run(
        "import os, sys; sys.stdout.write(os.environ['V'] + sys.argv[1] + sys.stdin.read())",
        env={"V": text}, args=[text], stdin=text, userContext={"id": text, "name": text},
    )
    assert result["stdout"] == text * 3
    assert api.get(f"/api/run/{result['id']}").json() == result
    listed = api.get("/api/runs", params={"userId": text}).json()["runs"]
    assert listed[0]["id"] == result["id"] and listed[0]["userId"] == text
    assert all(run["userId"] == text for run in listed)
