"""People in a test: a browser with cookies, and the console that links are printed on."""

import contextlib
import re
import sqlite3

import requests

from harness import PATIENCE_S, wait_for

LINK = re.compile(r"http\S+/auth/verify\?token=(dl_[0-9a-f]{64})")


class Browser:
    """Keeps cookies and says where it stands, as browsers do. Answers must be what the contract
    says."""

    def __init__(self, server, contract, browser=True):
        self.server, self.contract = server, contract
        self.cookies = {}
        self.headers = {}
        if browser:
            self.headers = {"Origin": server.url(), "Sec-Fetch-Site": "same-origin"}

    def request(self, method, path, headers=None, **more):
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        answer = requests.request(method, self.server.url(path), timeout=PATIENCE_S,
                                  headers={k: v for k, v in sent.items() if v is not None},
                                  allow_redirects=False, **more)
        self.contract.check(method, answer.request.path_url, answer.status_code, answer.headers,
                            answer.content.decode())
        for line in answer.raw.headers.getlist("Set-Cookie"):
            name, value = line.split(";")[0].split("=", 1)
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        if body is not None:
            more["json"] = body
        return self.request("POST", path, **more)

    def ask(self, email):
        answer = self.post("/auth/magic-link", {"email": email})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def confirm(self, token, **more):
        return self.request("POST", "/auth/verify", data={"token": token, **more})

    def sign_in(self, email):
        """Asks, reads the mail, follows the link, presses the button."""
        before = len(mails(self.server, email))
        self.ask(email)
        token = wait_for(lambda: mails(self.server, email)[before:], f"a mail to {email}")[0]
        answer = self.confirm(token)
        assert answer.status_code == 303, answer.text
        return self.me()

    def me(self):
        answer = self.get("/auth/me")
        assert answer.status_code == 200, answer.text
        return answer.json()


def mails(server, email):
    """Tokens of the links that were printed for an address."""
    found = []
    lines = server.log_text().splitlines()
    for first, second in zip(lines, lines[1:]):
        if first.startswith(f"Mail to {email.lower()}: ") and (match := LINK.search(second)):
            found.append(match[1])
    return found


def set_role(server, project, user, role):
    with contextlib.closing(sqlite3.connect(server.folder / "docle.db", timeout=PATIENCE_S)) as database:
        database.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, 1)", (project, user, role))
        database.commit()
