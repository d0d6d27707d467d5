import glob
import pathlib
import shutil

base = pathlib.Path("tree/deep")
base.mkdir(parents=True)
(base / "a.txt").write_text("one")
(base / "b.bin").write_bytes(b"two")
assert glob.glob("tree/**/*.txt", recursive=True) == ["tree/deep/a.txt"]
shutil.copytree("tree", "copy")
assert pathlib.Path("copy/deep/a.txt").read_text() == "one"
archive = shutil.make_archive("packed", "gztar", "tree")
shutil.unpack_archive(archive, "unpacked")
assert (pathlib.Path("unpacked/deep/b.bin")).read_bytes() == b"two"
shutil.rmtree("tree")
assert not base.exists() and shutil.disk_usage("/workspace").total > 0
assert shutil.which("sh")

print("ok")
