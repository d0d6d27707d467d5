"""Cases of the attack catalogue on requests that stand nowhere else: texts of every shape that must arrive as
they were sent, names that mean something to an interpreter, and words of query languages."""

import base64
import concurrent.futures
import json

import pytest

from harness import count_answers, raw_exchange

ECHO = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"

# each plane, both ends of the surrogate gap, non-characters, what looks alike, what turns round.
TEXTS = [
    "\0", "a\0b\0", "\x01\x02\x1b[31m\x7f\x80\x9f", "\u00e9e\u0301", "\ufeffmark", "\u2028\u2029\u0085",
    "\u202egnirts", "\ud7ff\ue000", "\ufffe\uffff\ufdd0", "\U0001f600\U0010ffff\U00010000", "</script><!--", "\r\n\r\r\n",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_text_arrives_as_it_was_sent(api, text, ascii_only):
    body = {"lang": "python", "code": ECHO, "stdin": text}
    answer = api.post("/api/run", json.dumps(body, ensure_ascii=ascii_only).encode())
    assert answer.status_code == 200
    assert answer.json()["stdout"] == text
    assert api.get(f"/api/run/{answer.json()['id']}").json()["stdout"] == text


@pytest.mark.parametrize("text", [text for text in TEXTS if "\0" not in text])
def test_arguments_and_files_arrive_as_they_were_sent(api, text):
    code = ("import base64, os, sys; print(base64.b64encode(os.fsencode(sys.argv[1])).decode(),"
            "base64.b64encode(open('f', 'rb').read()).decode(), base64.b64encode(os.environb[b'E']).decode())")
    result = api.run(files=[{"path": "main.py", "content": code}, {"path": "f", "content": text}], args=[text],
                     env={"E": text})
    assert result["outcome"] == "ok", result
    assert [base64.b64decode(part).decode() for part in result["stdout"].split()] == [text] * 3


# F-05: names by which an interpreter, a shell or the product itself would take a file for its own.
NAMES = [
    "python3", "node", "sh", "sitecustomize.py", "usercustomize.py", "encodings/__init__.py", "os.py", "json.py", "_docle.py",
    "node_modules/fs/index.js", "package.json", ".npmrc", ".profile", "pip.conf", "-c", "--version", "a b", "$(id)", "`id`",
    "con", "a\\b", "%2e%2e", ".hidden", "..a", "a..", "...", "~", "~root", "*", "?.py", "work", "tmp", "shm",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_affects_nobody_else(api, name):
    """The run may shadow its own modules, as with any interpreter; the server and the next run are as before."""
    files = [{"path": "main.py", "content": "print('main')"}, {"path": name, "content": "raise SystemExit('taken')"}]
    answer = api.post("/api/run", {"lang": "python", "files": files})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert answer.json()["outcome"] in ("ok", "error"), answer.json()
    assert api.run("import os, json; print(sorted(os.listdir('.')), json.dumps(1))")["stdout"] == "['main.py'] 1\n"
    assert api.run("console.log(require('fs').readdirSync('.').join())", "node")["stdout"] == "main.js\n"


# to a database, a template, a shell or a log they would be more than text.
WORDS = [
    "' OR '1'='1", "'; DROP TABLE runs; --", "\" OR \"\"=\"", "%", "_", "%' ESCAPE '", "1) UNION SELECT 1,2,3--", "$.a[*]",
    "{{7*7}}", "${7*7}", "<%= 7 %>", "$(id)", "`id`", "|id", "\\", "\\'", "%s%n%x", "\u02bc OR 1=1", "NULL", "0x27",
    "\"}],\"x\":[{\"", "../../etc/passwd", "\x1b]0;title\x07",
]


@pytest.mark.parametrize("word", WORDS)
def test_words_of_other_languages_are_text(server, api, word):
    count = "SELECT COUNT(*), (SELECT COUNT(*) FROM ledger) FROM runs"
    [(runs, rows)] = server.query(count)
    user = {"id": word, "name": word, "metadata": {word: word}}
    result = api.run(code="import sys; print(sys.argv[1:], end='')", args=[word], stdin=word, env={"E": word}, userContext=user)
    assert result["stdout"] == repr([word])
    kept = api.get(f"/api/run/{result['id']}").json()
    assert kept["id"] == result["id"] and kept["stdout"] == result["stdout"]
    assert server.query(count) == [(runs + 1, rows + 1)]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("field", ["cursor", "since", "outcome", "lang", "limit", "userId"])
def test_words_of_other_languages_in_queries(server, api, field, word):
    before = server.query("SELECT COUNT(*) FROM runs")
    answer = api.get("/api/runs", params={field: word})
    if answer.status_code == 200:
        assert field == "userId", answer.text
        [(known,)] = server.query("SELECT COUNT(*) FROM runs WHERE user_id = ?", word)
        assert len(answer.json()["runs"]) == known
    else:
        assert answer.status_code == 400 and answer.json()["message"], answer.text
    assert server.query("SELECT COUNT(*) FROM runs") == before


@pytest.mark.parametrize("word", WORDS)
def test_words_of_other_languages_as_ids_and_keys(api, word):
    answer = api.get("/api/run/" + "".join(f"%{byte:02x}" for byte in word.encode()))
    assert answer.status_code in (400, 404), answer.text
    if word.isascii() and word.isprintable():
        assert api.get("/api/runs", auth=False, headers={"Authorization": f"Bearer {word}"}).status_code == 401


# what a server could take for another protocol.
@pytest.mark.parametrize("data", [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET /\r\n\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
    b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n",
    b"GET http://elsewhere/ HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n",
])
def test_other_protocols_get_one_answer_at_most(server, data):
    received = raw_exchange(server, data, half_close=True)
    assert count_answers(received) <= 1
    assert not received or received.startswith(b"HTTP/1.1 ")


# A-29 and L-09 for what there is now: the caps on running and waiting hold in a rush.
def test_a_rush_admits_as_many_as_there_is_room_for(own_server, make_client):
    server = own_server("--slots", "1", "--project-queued", "2", "--queue-max", "3")
    client = make_client(server, server.create_key()["key"])
    body = {"lang": "python", "code": "import time; time.sleep(3)", "policy": {"timeoutMs": 60000}}
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: client.post("/api/run", body), range(40)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 429, 503}, statuses
    # One runs and two wait; as each ends another may come in, but never more than the room at a time.
    assert 3 <= statuses.count(200) <= 6, statuses
    for answer in answers:
        if answer.status_code != 200:
            assert int(answer.headers["Retry-After"]) >= 1
    assert client.run("print('after')")["stdout"] == "after\n"
