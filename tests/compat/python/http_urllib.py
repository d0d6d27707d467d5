import http.server
import json
import threading
import urllib.parse
import urllib.request


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"path": self.path, "body": body.decode()}).encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://localhost:{server.server_port}/p?{urllib.parse.urlencode({'q': 'a b'})}"
with urllib.request.urlopen(url, data=b"sent") as answer:
    assert json.load(answer) == {"path": "/p?q=a+b", "body": "sent"}
server.shutdown()
try:
    urllib.request.urlopen("http://192.0.2.1/", timeout=5)
    raise AssertionError("there is a way out")
except OSError:
    pass

print("ok")
