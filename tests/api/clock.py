"""A server's wall clock, moved while it runs."""

import pathlib
import struct
import subprocess

from harness import open_to_programs

HERE = pathlib.Path(__file__).resolve().parent


class Clock:
    def __init__(self, folder):
        self.path = folder / "clock"
        self.path.write_bytes(struct.pack("=q", 0))
        self.shim = folder / "shim.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.shim, HERE / "clock_shim.c"], check=True)
        open_to_programs(folder)

    @property
    def env(self):
        return {"LD_PRELOAD": str(self.shim), "DOCLE_TEST_CLOCK": str(self.path)}

    def set(self, seconds):
        """Seconds off the truth. In place: the server has the file mapped."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", seconds))
