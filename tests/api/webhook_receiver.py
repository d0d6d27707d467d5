"""A receiver of webhooks that checks signatures as the contract says how, and fails as it is told to."""

import hashlib
import hmac
import http.server
import json
import threading
import time


def verify(secret, header, body, now, tolerance=300):
    """As printed in docs/openapi.yaml."""
    fields = [field.split("=", 1) for field in header.split(",")]
    stamp = dict(fields)["t"]
    wanted = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    signed = any(hmac.compare_digest(value, wanted) for name, value in fields if name == "v1")
    return signed and abs(now - int(stamp)) <= tolerance


class Receiver(http.server.ThreadingHTTPServer):
    """answers: what comes next, once each: a status, "drop", "hang", "huge", or a URL to redirect to; then 200."""

    daemon_threads = True

    def __init__(self, *answers, host="127.0.0.1", port=0):
        self.answers, self.requests = list(answers), []
        self.end = threading.Event()
        super().__init__((host, port), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def url(self, path="/hook"):
        return f"http://{self.server_address[0]}:{self.server_port}{path}"

    def events(self):
        return [json.loads(body) for _, _, body in list(self.requests)]

    def close(self):
        self.end.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == "hang":
            self.server.end.wait()
        if answer in ("hang", "drop"):
            self.close_connection = True
            return
        redirect = isinstance(answer, str) and answer.startswith("http")
        self.send_response(307 if redirect else 200 if answer == "huge" else answer)
        if redirect:
            self.send_header("Location", answer)
        self.send_header("Content-Length", str(1 << 30 if answer == "huge" else 0))
        self.end_headers()
        while answer == "huge":
            self.wfile.write(b"x" * 65536)

    do_GET = do_POST

    def log_message(self, *args):
        pass


def now():
    return time.time()
