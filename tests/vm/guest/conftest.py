"""Which way of running is tested: --mode of tell.py."""

import os

import pytest
from product import Root, Rootless, Server, call


@pytest.fixture(scope="session")
def mode(request):
    return {"root": Root, "rootless": Rootless}[request.config.getoption("--mode")]()


@pytest.fixture(scope="session")
def root_dir():
    """The sealed root; made once, users share it."""
    call("docle", "runtimes", "refresh", "--quiet")
    return os.environ["DOCLE_ROOT_DIR"]


@pytest.fixture(scope="session")
def server(mode, root_dir):
    made = Server(mode)
    yield made
    if mode.active():
        mode.stop()
