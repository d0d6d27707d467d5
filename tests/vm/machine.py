"""One QEMU machine, without KVM and without network; ended by its pid whatever happens."""

import ctypes
import json
import pathlib
import signal
import subprocess
import time


class Overdue(Exception):
    """The machine did not say in time what was due, or has gone."""


def command(folder, system, product):
    drives = [word for image in (system / "system.img", product)
              for word in ("-drive", f"file={image},if=virtio,format=raw,snapshot=on")]
    return [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3072",
        "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none",
        "-kernel", system / "vmlinuz", "-initrd", system / "initrd.img",
        "-append", "root=LABEL=root rw console=ttyS0 quiet panic=-1",
        *drives, "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
        "-chardev", f"file,id=told,path={folder}/told",
        "-device", "virtserialport,chardev=told,name=docle.results",
        "-serial", f"file:{folder}/console",
    ]


def die_with_parent():
    """PR_SET_PDEATHSIG, SIGKILL: also when the tests are killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


class Machine:
    def __init__(self, folder, system, product):
        self._told, self._console = pathlib.Path(folder, "told"), pathlib.Path(folder, "console")
        self._process = subprocess.Popen([str(word) for word in command(folder, system, product)],
                                         stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def console(self):
        return self._console.read_text(errors="replace")[-6000:] if self._console.exists() else ""

    def told(self, deadline):
        """JSON objects as they come; deadline() is when the next one must have come."""
        at, rest = 0, b""
        while True:
            ended = self._process.poll() is not None
            new = b""
            if self._told.exists():
                with self._told.open("rb") as file:
                    file.seek(at)
                    new = file.read()
            at += len(new)
            *lines, rest = (rest + new).split(b"\n")
            for line in lines:
                yield json.loads(line)
            if not lines:
                if ended:
                    raise Overdue(f"the machine has ended with {self._process.returncode}")
                if time.monotonic() > deadline():
                    raise Overdue("took too long")
                time.sleep(0.2)
