# V-15 (python): the first watches a folder of the shared root, while the second imports a module from it
# A side channel that is not closed: SECURITY.md, "What is left". The names are the root's; f21_inotify.py has a run's own.
# expect: imported
# first: True
import ctypes
import os
import sys

if open("role").read() == "first":
    fd = ctypes.CDLL(None).inotify_init1(os.O_NONBLOCK)
    folder = next(path for path in sys.path if path.endswith(f"python3.{sys.version_info.minor}"))
    ctypes.CDLL(None).inotify_add_watch(fd, f"{folder}/xml".encode(), 0xFFF)
    print("ready", flush=True)
    sys.stdin.read()
    try:
        print(len(os.read(fd, 1 << 16)) > 0)
    except BlockingIOError:
        print(False)
else:
    import xml.dom.minidom

    print("imported")
