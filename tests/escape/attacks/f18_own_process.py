# F-18 (python): what /proc/self tells of the server, the launcher and its settings
# expect: end
# without: overlay
import os

text = b""
for name in ("maps", "environ", "auxv", "cmdline", "mountinfo"):
    with open(f"/proc/self/{name}", "rb") as file:
        text += file.read()
words = (b"DOCLE", b"launcher", b"uid-base", b"/var/lib", b"/root/", b"/home/", b"/tmp/", b"PATH=/usr/local",
         b"upperdir=", b"lowerdir=/")
print(*[word.decode() for word in words if word in text], "end")
with open("/proc/self/mem", "rb") as memory:
    memory.seek(id(text))
    assert memory.read(8)
