"""Stripe's own client from npm, as a process that is asked line by line."""

import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build-npm"
VERSION = "23.1.0"


class OfficialError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.type, self.code = error.get("type"), error.get("code")
        self.status, self.param = error.get("status"), error.get("param")


def install():
    """The folder with node_modules; asks npm's registry the first time only."""
    manifest = FOLDER / "node_modules/stripe/package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != VERSION:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save",
                        f"stripe@{VERSION}"], cwd=FOLDER, check=True, timeout=300, capture_output=True)
    return FOLDER


class Official:
    def __init__(self, url, key="sk_test_docle", retries=0):
        script = pathlib.Path(__file__).with_name("official.mjs")
        self.process = subprocess.Popen(["node", script, install(), url, key, str(retries)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, path, *args, sync=False):
        """official("billing.meters.create", {…})"""
        line = json.dumps({"call": path.split("."), "args": args, "sync": sync})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise OfficialError(answer["error"])
        return answer.get("value")

    def close(self):
        # Answers that it did not read to the end keep its connections, and so itself, alive.
        self.process.kill()
        self.process.wait(60)
