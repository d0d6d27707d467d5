"""Installs packages by pip, sealed as a run, and hands the result out on standard output (see layer_stream.h).

Besides this program there are only: options.json, and requirements.txt (specifications that were checked) or
pyproject.toml. What pip says goes to standard error.
"""

import compileall
import json
import os
import py_compile
import site
import stat
import struct
import subprocess
import sys

WORK = "/workspace"
OUT = f"{WORK}/.out"
REPORT = f"{WORK}/.report.json"
PIP = "/usr/lib/docle/installers/python"
SPECS_MAX = 50
PIECE = 1 << 20


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def project_dependencies():
    """The specifications of pyproject.toml, held to what `packages` may hold."""
    sys.path.insert(0, PIP)
    try:
        import tomllib
    except ImportError:
        from pip._vendor import tomli as tomllib
    from pip._vendor.packaging.requirements import InvalidRequirement, Requirement

    try:
        with open(f"{WORK}/pyproject.toml", "rb") as file:
            listed = tomllib.load(file).get("project", {}).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        fail(f"pyproject.toml is not valid TOML: {error}")
    if not isinstance(listed, list) or not all(isinstance(spec, str) for spec in listed):
        fail("project.dependencies of pyproject.toml is not a list of texts")
    if len(listed) > SPECS_MAX:
        fail(f"pyproject.toml has more than {SPECS_MAX} dependencies")
    for spec in listed:
        try:
            if Requirement(spec).url or "\n" in spec:
                fail(f"{spec!r} of pyproject.toml is an address; only packages of the registry are installed")
        except InvalidRequirement as error:
            fail(f"{spec!r} of pyproject.toml is not valid: {error}")
    return listed


def pip_command(options):
    command = [sys.executable, "-I", "-X", "utf8", "-B", f"{PIP}/pip", "install", "--isolated", "--no-input",
               "--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off",
               "--no-compile", "--target", OUT, "--requirement", f"{WORK}/requirements.txt", "--report", REPORT,
               "--index-url", options["index"]]
    for index in options["more"]:
        command += ["--extra-index-url", index]
    if options["cert"]:
        command += ["--cert", options["cert"]]
    if not options["source"]:
        command += ["--only-binary", ":all:"]
    return command


def hash_of(download):
    archive = download.get("archive_info", {})
    for name, value in archive.get("hashes", {}).items():
        return f"{name}:{value}"
    return archive.get("hash", "").replace("=", ":", 1)


def resolved():
    with open(REPORT) as file:
        installed = json.load(file)["install"]
    packages = [{"name": one["metadata"]["name"], "version": one["metadata"]["version"],
                 "hash": hash_of(one.get("download_info", {}))} for one in installed]
    return sorted(packages, key=lambda package: package["name"].lower())


def compile_all():
    """With what the files' hashes would be instead of their times, which are not kept; and never looked at again, as
    nobody can change them."""
    compileall.compile_dir(OUT, quiet=2, stripdir=OUT, prependdir=site.getsitepackages()[0],
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


class Stream:
    def __init__(self):
        self.file = os.fdopen(os.dup(1), "wb", buffering=PIECE)
        self.file.write(b"DOCLE-LAYER-1\n")

    def head(self, kind, path, length):
        name = os.fsencode(path)
        self.file.write(struct.pack("=cBHI", kind, 0, len(name), length) + name)

    def content(self, kind, path, data):
        self.head(kind, path, len(data))
        self.file.write(data)

    def copy(self, kind, path, full, length):
        self.head(kind, path, length)
        with open(full, "rb") as file:
            while length:
                piece = file.read(min(length, PIECE))
                if not piece:
                    fail(f"{path} became shorter")
                self.file.write(piece)
                length -= len(piece)

    def entry(self, path, entry):
        info = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            self.content(b"l", path, os.fsencode(os.readlink(entry.path)))
        elif stat.S_ISDIR(info.st_mode):
            self.head(b"d", path, 0)
            self.tree(entry.path, path + "/")
        elif stat.S_ISREG(info.st_mode):
            self.copy(b"x" if info.st_mode & 0o111 else b"f", path, entry.path, info.st_size)
        else:
            fail(f"{path} is neither file, folder nor link")

    def tree(self, folder, prefix=""):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            self.entry(prefix + entry.name, entry)

    def end(self, packages):
        self.content(b"r", "", json.dumps(packages).encode())
        self.head(b"e", "", 0)
        self.file.close()


def main():
    with open(f"{WORK}/options.json") as file:
        options = json.load(file)
    if os.path.exists(f"{WORK}/pyproject.toml"):
        with open(f"{WORK}/requirements.txt", "w") as file:
            file.writelines(spec + "\n" for spec in project_dependencies())
    os.mkdir(OUT)
    status = subprocess.run(pip_command(options), stdout=2).returncode
    if status:
        sys.exit(status if status > 0 else 128 - status)
    packages = resolved()
    compile_all()
    stream = Stream()
    stream.tree(OUT)
    stream.end(packages)


main()
