"""What the attack drivers share."""

import pathlib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
LANGUAGES = {".py": "python", ".js": "node"}
HELPER = {"attack.py": (HERE / "attack.py").read_bytes()}
HELLO = {"python": "print('hello')", "node": "console.log('hello')"}


def has_switches(build):
    """Whether defences can be switched off in that build."""
    program = build / "docle-launcher"
    return program.exists() and b"--without does not know" in program.read_bytes()
