import io
import os

with open("file.txt", "w+", encoding="utf-16") as file:
    file.write("zwölf\n")
    file.seek(0)
    assert file.read() == "zwölf\n"
with open("file.bin", "wb", buffering=0) as file:
    assert file.write(b"12345") == 5
with open("file.bin", "rb") as file:
    buffer = bytearray(3)
    assert file.readinto(buffer) == 3 and file.seek(-1, os.SEEK_END) == 4
assert io.TextIOWrapper(io.BytesIO(b"a\r\nb")).read() == "a\nb"

print("ok")
