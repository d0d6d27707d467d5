"""A host of repositories for the tests: speaks what the server uses of GitHub's API, with state, and misbehaves
when told to. API and archives are two hosts, as they are there."""

import gzip
import http.server
import io
import json
import tarfile
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def archive(files, extra=None, top="owner-name-0123456"):
    """files: path → bytes. extra(tar): adds members of its own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT,
                      pax_headers={"comment": COMMIT}) as tar:
        folder = tarfile.TarInfo(top)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for path, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if extra:
            extra(tar, top)
    return out.getvalue()


class Repository:
    def __init__(self, files=None, branches=("main",), tags=(), default="main", tarball=None):
        self.branches, self.tags, self.default = list(branches), list(tags), default
        self.tarball = tarball if tarball is not None else archive(files or {})
        self.private = False
        self.renamed_to = None


class RepoHost:
    def __init__(self):
        self.repositories = {}
        self.asked = []  # (host, path, authorization)
        self.answer = None  # (status, headers, body) for every API request
        self.cut = False  # archives end early
        self.delay = 0
        self.token = None
        self.api = self._serve("api")
        self.files = self._serve("files")

    def add(self, name, *args, **more):
        self.repositories[name.lower()] = Repository(*args, **more)
        return self.repositories[name.lower()]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.api.server_port}"

    def count(self, part):
        return sum(part in path for _, path, _ in self.asked)

    def close(self):
        for server in (self.api, self.files):
            server.shutdown()
            server.server_close()

    def _serve(self, kind):
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802
                host.asked.append((kind, self.path, self.headers.get("Authorization")))
                (host.on_api if kind == "api" else host.on_files)(self)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @staticmethod
    def send(request, status, body=b"", headers=None, length=None):
        body = body.encode() if isinstance(body, str) else body
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    def on_api(self, request):
        time.sleep(self.delay)
        if self.answer:
            self.send(request, self.answer[0], self.answer[2], self.answer[1])
            return
        path = urllib.parse.unquote(request.path)
        if path.startswith("/moved/"):
            path = "/repos/" + path[len("/moved/"):]
        _, _, owner, name, rest = path.split("/", 4)
        repository = self.repositories.get(f"{owner}/{name}".lower())
        signed_in = self.token and request.headers.get("Authorization") == f"Bearer {self.token}"
        if not repository or (repository.private and not signed_in):
            self.send(request, 404, json.dumps({"message": "Not Found"}))
        elif repository.renamed_to:
            self.send(request, 301, "{}", {"Location": f"{self.url}/moved/{repository.renamed_to}/{rest}"})
        elif rest.startswith("git/matching-refs/"):
            wanted = rest[len("git/matching-refs/"):]
            refs = [f"heads/{name}" for name in repository.branches] + [f"tags/{name}" for name in repository.tags]
            self.send(request, 200, json.dumps([{"ref": f"refs/{ref}", "object": {"sha": COMMIT}}
                                                for ref in refs if ref.startswith(wanted)]))
        elif rest.startswith("commits/"):
            ref = rest[len("commits/"):]
            known = ref in (*repository.branches, *repository.tags, COMMIT) or (ref == "HEAD" and repository.default)
            if known:
                self.send(request, 200, COMMIT)
            else:
                self.send(request, 422, json.dumps({"message": f"No commit found for SHA: {ref}"}))
        elif rest == f"tarball/{COMMIT}":
            target = f"http://localhost:{self.files.server_port}/{owner}/{name}"
            self.send(request, 302, b"", {"Location": target})
        else:
            self.send(request, 500)

    def on_files(self, request):
        body = self.repositories[request.path[1:].lower()].tarball
        if self.cut:
            self.send(request, 200, body[: len(body) // 2], length=len(body))
            request.close_connection = True
        else:
            self.send(request, 200, body, {"Content-Type": "application/x-gzip"})


def bomb():
    """A small archive with a huge member."""

    def extra(tar, top):
        member = tarfile.TarInfo(f"{top}/huge.txt")
        member.size = 600 << 20
        tar.addfile(member, Zeroes())

    class Zeroes:
        @staticmethod
        def read(size):
            return b"\0" * size

    return archive({"main.py": "print(1)"}, extra)


def member(name, kind=tarfile.REGTYPE, link=""):
    """Adds one member by its full name, whatever that is."""

    def extra(tar, top):
        info = tarfile.TarInfo(name.replace("TOP", top))
        info.type, info.linkname = kind, link
        tar.addfile(info)

    return extra


def not_gzip():
    return gzip.compress(b"this is no archive at all" * 100)
