import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    assert folder.startswith("/tmp/") and os.path.isdir(folder)
    with tempfile.NamedTemporaryFile("w", dir=folder) as file:
        file.write("x")
        file.flush()
        assert os.path.getsize(file.name) == 1
assert not os.path.exists(folder)
with tempfile.SpooledTemporaryFile(10) as file:
    file.write(b"more than ten bytes")
    file.seek(0)
    assert file.read(4) == b"more"

print("ok")
