import io
import tarfile
import zipfile

with tarfile.open("a.tar.xz", "w:xz") as archive:
    info = tarfile.TarInfo("name")
    info.size = 4
    archive.addfile(info, io.BytesIO(b"data"))
with tarfile.open("a.tar.xz") as archive:
    assert archive.extractfile("name").read() == b"data"
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("dir/name", "text")
with zipfile.ZipFile("a.zip") as archive:
    archive.extractall("out")
assert open("out/dir/name").read() == "text"

print("ok")
