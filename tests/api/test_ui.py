"""The web console's files, as the server hands them out."""

import gzip
import pathlib
import re

import pytest
import requests

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
ROUTER = pathlib.Path(__file__).resolve().parents[2] / "web/apps/console/src/app/router.ts"


def get(server, path, **headers):
    return requests.get(server.url(path), headers=headers, timeout=30, allow_redirects=False)


def raw(server, path, accepts):
    """Header fields and the bytes as they came."""
    with requests.get(server.url(path), headers={"Accept-Encoding": accepts}, timeout=30, stream=True) as answer:
        return answer.headers, answer.raw.read()


def script_path(server):
    page = get(server, "/login", **HTML).text
    return re.search(r'src="(/assets/[^"]+\.js)"', page)[1]


def test_every_page_of_the_router_is_served(server):
    paths = re.findall(r"(?:path|alias): '(/[^':]*)", ROUTER.read_text())
    assert len(paths) > 10
    for path in paths:
        if path == "/":
            continue
        answer = get(server, path.rstrip("/") or path, **HTML)
        assert answer.status_code == 200, path
        assert '<div id="app">' in answer.text


def test_the_root_leads_browsers_to_the_dashboard(server):
    answer = get(server, "/", **HTML)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/dashboard")
    assert get(server, "/").json()["name"] == "docle"
    assert "Accept" in answer.headers["Vary"]


def test_an_unknown_page_is_404_and_a_page(server):
    answer = get(server, "/no/such/page", **HTML)
    assert answer.status_code == 404
    assert '<div id="app">' in answer.text
    assert get(server, "/no/such/page").json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/api/nothing", "/auth/nothing", "/assets/nothing.js", "/collab/x"])
def test_unknown_paths_of_programs_are_not_the_console(server, path):
    answer = get(server, path, **HTML)
    assert answer.status_code == 404
    assert '<div id="app">' not in answer.text
    assert get(server, path).json()["code"] == "not_found"


def test_each_answer_has_its_own_nonce(server):
    nonces = set()
    for _ in range(3):
        answer = get(server, "/login", **HTML)
        policy = answer.headers["Content-Security-Policy"]
        nonce = re.search(r"script-src 'self' 'nonce-([^']+)'", policy)[1]
        assert "__CSP_NONCE__" not in answer.text
        assert set(re.findall(r'nonce="([^"]+)"', answer.text)) == {nonce}
        assert "unsafe-eval" not in policy and "script-src 'self' 'nonce-" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text), "an inline script"
        nonces.add(nonce)
    assert len(nonces) == 3


def test_the_page_says_whether_a_session_came_with_the_request(server):
    def hint(cookie):
        page = get(server, "/login", **HTML, **({"Cookie": cookie} if cookie else {})).text
        return re.search(r'name="docle-session" content="(\w+)"', page)[1]

    assert hint(None) == "none"
    assert hint("theme=dark") == "none"
    assert hint("a=b; docle_session=ds_old") == "maybe"


def test_assets_are_coded_and_cached_for_good(server):
    path = script_path(server)
    plain = get(server, path, **{"Accept-Encoding": "identity"})
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "Content-Encoding" not in plain.headers
    headers, packed = raw(server, path, "gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content
    headers, packed = raw(server, path, "gzip, br")
    assert headers["Content-Encoding"] == "br"
    assert len(packed) < len(plain.content) / 2
    assert "Accept-Encoding" in plain.headers["Vary"]


@pytest.mark.parametrize("accepts, coding", [
    ("br;q=0, gzip;q=0.0", None), ("br;q=0,gzip", "gzip"), ("x-br, gzipped", None), ("gzip;q=0.001", "gzip"),
    ("", None), (",,,br", "br"), ("br ;q=1.0", "br"), ("identity", None), ("br;q=0.0;x=1, gzip; q=0", None), ("br" * 2000, None),
    ("," * 4000 + "gzip", "gzip"),
])
def test_the_coding_is_one_that_is_accepted(server, accepts, coding):
    headers, _ = raw(server, script_path(server), accepts)
    assert headers.get("Content-Encoding") == coding


def test_a_known_version_is_not_sent_again(server):
    first = get(server, "/favicon.svg")
    again = get(server, "/favicon.svg", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", [
    "/assets/../index.html", "/assets/%2e%2e/index.html", "/assets//", "/assets/..%2f..%2fetc/passwd",
    "/index.html/", "/favicon.svg%00.js",
])
def test_no_path_leads_elsewhere(server, path):
    answer = get(server, path)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


def test_a_page_is_only_read(server):
    answer = requests.post(server.url("/login"), headers=HTML, timeout=30)
    assert answer.status_code == 404
    head = requests.head(server.url("/login"), headers=HTML, timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 500


def test_head_says_what_get_would(server):
    path = script_path(server)
    for accepts in ("identity", "gzip", "br"):
        headers = {"Accept-Encoding": accepts}
        head = requests.head(server.url(path), headers=headers, timeout=30)
        fields, body = raw(server, path, accepts)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == fields["Content-Length"] == str(len(body))
        assert head.headers["ETag"] == fields["ETag"]


@pytest.mark.parametrize("ranges", ["bytes=0-9", "bytes=-1", "bytes=5-1", "bytes=0-0,2-3", "x" * 2000])
def test_a_range_gets_the_whole(server, ranges):
    whole = get(server, "/favicon.svg")
    part = get(server, "/favicon.svg", Range=ranges)
    assert (part.status_code, part.content) == (200, whole.content)
    assert "Content-Range" not in part.headers


@pytest.mark.parametrize("path", [
    "/login%0d%0aX-Evil:%201", "/assets/%0d%0aSet-Cookie:%20a=b", "/runs/%0aX-Evil:1", "/s/%00%0d%0aX-Evil:1",
])
def test_no_path_adds_a_header(server, path):
    answer = get(server, path, **HTML)
    assert answer.status_code in (200, 400, 404)
    assert not {"X-Evil", "Set-Cookie"} & set(answer.headers)
    assert "X-Evil" not in answer.text and "a=b" not in answer.text


@pytest.mark.parametrize("path", ["/runs/" + "a" * 100_000, "/assets/" + "x/" * 30_000, "/" + "%61" * 30_000])
def test_huge_paths_are_refused(server, path):
    answer = get(server, path, **HTML)
    assert answer.status_code in (400, 404, 414, 431)
    assert get(server, "/login", **HTML).status_code == 200


def test_what_the_request_says_is_not_in_the_page(server):
    evil = "__CSP_NONCE__<script>alert(1)</script>"
    answer = get(server, "/runs/x?q=" + evil, **HTML, Cookie=f"docle_session={evil}", Referer=evil)
    assert answer.status_code == 200
    assert "alert" not in answer.text and "__" not in re.sub(r'"/assets/[^"]*"', "", answer.text)
