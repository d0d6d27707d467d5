# F-21 (python): the first watches the folders that both see, while the second makes and opens files there
# expect: made
# first: False
# without: mounts -> first: True
import ctypes
import os
import sys

if open("role").read() == "first":
    fd = ctypes.CDLL(None).inotify_init1(os.O_NONBLOCK)
    for place in (b"/", b"/tmp", b"/dev", b"/dev/shm", b"/workspace", b"/proc"):
        ctypes.CDLL(None).inotify_add_watch(fd, place, 0xFFF)
    print("ready", flush=True)
    sys.stdin.read()
    try:
        events = os.read(fd, 1 << 16)
    except BlockingIOError:
        events = b""
    print(b"tenant" in events)
else:
    for place in ("/tmp/tenant-b", "/dev/shm/tenant-b", "/workspace/tenant-b"):
        with open(place, "x") as file:
            file.write("x")
    print("made")
