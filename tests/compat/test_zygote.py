"""What a fork of a zygote could get wrong: numbers that repeat, and old zygotes."""

import time

import pytest

RUNS = 50
DRAWS = {
    "python": ("main.py", """
import os, random, secrets, ssl, tempfile, uuid
print(random.random(), random.getrandbits(64), uuid.uuid4(), uuid.uuid1().node, secrets.token_hex(8),
      ssl.RAND_bytes(8).hex(), os.urandom(8).hex(), tempfile.mktemp())
"""),
    "node": ("main.js", """
const crypto = require('crypto'), vm = require('vm'), fs = require('fs');
console.log(Math.random(), crypto.randomUUID(), crypto.randomBytes(8).toString('hex'),
  crypto.webcrypto.getRandomValues(new Uint32Array(2)).join('-'), crypto.randomInt(2 ** 47),
  vm.runInNewContext('Math.random()'), vm.runInContext('Math.random()', vm.createContext({})),
  fs.mkdtempSync('/tmp/'));
"""),
}
MAC_COLUMN = 3  # uuid1's node is random where no card can be seen, and may repeat where one can


@pytest.mark.parametrize("lang", DRAWS)
def test_no_two_runs_draw_the_same(sandbox, lang):
    entrypoint, code = DRAWS[lang]
    rows = []
    for _ in range(RUNS):
        result = sandbox.run(lang, {entrypoint: code}, entrypoint)
        assert result["outcome"] == "ok", result["stderr"]
        rows.append(result["stdout"].split())
    for column, values in enumerate(zip(*rows)):
        if not (lang == "python" and column == MAC_COLUMN):
            assert len(set(values)) == RUNS, f"column {column}: {values}"


def test_contexts_and_workers_of_one_run_differ(sandbox):
    result = sandbox.run("node", {"main.js": """
const { Worker } = require('worker_threads');
const vm = require('vm');
const seen = [Math.random(), vm.runInNewContext('Math.random()'), vm.runInNewContext('Math.random()')];
let left = 3;
for (let i = 0; i < 3; i++) {
  new Worker("require('worker_threads').parentPort.postMessage(Math.random())", { eval: true }).on('message', (value) => {
    seen.push(value);
    if (--left === 0) console.log(new Set(seen).size);
  });
}
"""}, "main.js")
    assert result["stdout"] == "6\n", result["stderr"]


OLD = {
    "python": ("main.py", "import threading\nt = threading.Thread(target=print, args=('ok',))\nt.start()\nt.join()\n"),
    "node": ("main.js", """
setTimeout(() => console.log('timer'), 5);
require('fs').readFile(__filename, () => console.log('read'));
new (require('worker_threads').Worker)('', { eval: true }).on('exit', () => console.log('worker'));
require('child_process').exec('true', () => console.log('child'));
"""),
}


@pytest.mark.parametrize("lang", OLD)
def test_an_old_zygote_serves(sandbox, lang):
    """V8 has a timer of eight seconds that hung every run of an older zygote."""
    time.sleep(max(0, 21 - sandbox.age_s()))
    entrypoint, code = OLD[lang]
    for _ in range(4):  # more than there are spares, so that at least one is a fork made now
        result = sandbox.run(lang, {entrypoint: code}, entrypoint)
        assert result["outcome"] == "ok", result
        assert sorted(result["stdout"].split()) == (
            ["ok"] if lang == "python" else ["child", "read", "timer", "worker"])
