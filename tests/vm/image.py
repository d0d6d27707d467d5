"""Disk images: a Debian system made of Debian's packages, and the product. No loop mounts: mke2fs -d fills
a file system from a folder."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent

SUITE = "bookworm"
PACKAGES = [
    "linux-image-cloud-amd64", "initramfs-tools", "kmod", "udev",
    "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd",
    # what the product runs; what it is linked with is found out
    "python3", "nodejs", "ca-certificates", "tzdata",
    # what the tests need
    "python3-pytest", "python3-requests", "python3-yaml", "python3-jsonschema", "procps",
    "python3-aiosmtpd", "python3-pip", "npm", "iproute2", "openssl",
]
FSTAB = """\
LABEL=root    /           ext4   noatime     0 0
LABEL=product /usr/local  ext4   ro,noatime  0 0
tmpfs         /tmp        tmpfs  nosuid,nodev 0 0
"""
UNIT = """\
[Unit]
Description=What tests/vm asks of the product
After=multi-user.target
RequiresMountsFor=/usr/local

[Service]
Type=oneshot
ExecStart=/usr/local/vmtest/tests/vm/guest/inside
Delegate=yes
TimeoutStartSec=infinity
StandardOutput=journal+console
"""
# The user of the rootless tests has a session that outlives logins, as a service's user would.
COMMANDS = """\
set -eu
useradd --create-home --shell /bin/bash tester
useradd --system --no-create-home docle
mkdir -p /var/lib/systemd/linger
touch /var/lib/systemd/linger/tester
echo vm >/etc/hostname
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s ../docle-vmtest.service /etc/systemd/system/multi-user.target.wants/
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service fstrim.timer
cd /boot
mv vmlinuz-* vmlinuz
mv initrd.img-* initrd.img
"""
SIZE = "3G"


def call(*command, **more):
    subprocess.run([str(word) for word in command], check=True, **more)


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE).stdout


def libraries(folder):
    """The packages of the libraries that the programs below a folder are linked with."""
    names = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.open("rb").read(4) == b"\x7fELF":
            names |= set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", path)))
    found = output("dpkg-query", "--search", *(f"*/{os.uname().machine}-linux-gnu/{name}" for name in sorted(names)))
    return sorted({line.split(":")[0] for line in found.splitlines()})


def recipe(packages):
    """A name for all that the system image is made from."""
    text = json.dumps([SUITE, packages, FSTAB, UNIT, COMMANDS, SIZE])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_system(root, packages):
    """A Debian system in a folder."""
    call("mmdebstrap", "--variant=minbase", "--quiet", f"--include={','.join(packages)}",
         "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
         "--dpkgopt=path-exclude=/usr/share/locale/*", SUITE, root)
    (root / "etc/fstab").write_text(FSTAB)
    (root / "etc/systemd/system/docle-vmtest.service").write_text(UNIT)
    call("chroot", root, "sh", "-c", COMMANDS)


def system_image(cache, product):
    """The folder with system.img, vmlinuz and initrd.img; made when there is none for the recipe."""
    packages = PACKAGES + libraries(product)
    folder = cache / recipe(packages)
    if folder.exists():
        return folder
    print(f"making a Debian system from {len(packages)} packages (once)", flush=True)
    shutil.rmtree(cache, ignore_errors=True)  # those of old recipes
    cache.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        root, image = pathlib.Path(work, "root"), pathlib.Path(work, "image")
        image.mkdir()
        make_system(root, packages)
        for name in ("vmlinuz", "initrd.img"):
            shutil.move(root / "boot" / name, image)
        call("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, image / "system.img", SIZE)
        image.rename(folder)
    return folder


def install_product(folder, minutes, phases):
    """What `make install` installs, and the tests, below a folder. It has build/ as the tests know it, and
    what guest/inside shall do."""
    call(TOP / "tools/install", stdout=subprocess.DEVNULL,
         env={**os.environ, "DESTDIR": str(folder), "PREFIX": "/usr/local"})
    inside = folder / "usr/local/vmtest"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("tests/api", "tests/escape", "tests/network", "tests/stripe", "tests/vm"):
        shutil.copytree(TOP / name, inside / name, ignore=ignore)
    for name in ("docs", "build"):
        (inside / name).mkdir()
    shutil.copy(TOP / "docs/openapi.yaml", inside / "docs")
    for path in [*folder.glob("usr/local/bin/docle*"), *folder.glob("usr/local/libexec/docle/docle-*")]:
        (inside / "build" / path.name).symlink_to("/" / path.relative_to(folder))
    wanted = {"minutes": minutes, "phases": phases.split(",") if phases else []}
    (inside / "wanted.json").write_text(json.dumps(wanted))


def product_image(folder, image):
    call("mke2fs", "-q", "-t", "ext4", "-L", "product", "-d", folder / "usr/local", image, "64M",
         stdout=subprocess.DEVNULL)
