"""A plugin of pytest that tells each case as it ends: what a machine that hangs has told is not lost."""

import json
import os


def tell(**what):
    """One line, in one write: lines of two writers do not mix."""
    line = (json.dumps(what) + "\n").encode()
    fd = os.open(os.environ["DOCLE_TEST_TELL"], os.O_WRONLY)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


def pytest_addoption(parser):
    parser.addoption("--mode", default="root", help="root or rootless")


def pytest_runtest_logreport(report):
    if report.when != "call" and report.outcome == "passed":
        return
    name = report.nodeid.rsplit("::", 1)[-1] + ("" if report.when == "call" else f" ({report.when})")
    tell(kind="case", name=name, outcome=report.outcome, seconds=report.duration,
         text=str(report.longrepr or "")[-3500:])
