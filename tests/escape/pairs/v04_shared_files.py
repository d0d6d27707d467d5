# V-04 (python): files of the first in /dev/shm, /tmp and the workspace
# expect: False False False
# first: True True True
# without: mounts -> True True False
import os
import sys

places = ("/dev/shm/mail", "/tmp/mail", "/workspace/mail")
if open("role").read() == "first":
    for place in places:
        open(place, "x").close()
    print("ready", flush=True)
    sys.stdin.read()
    print(*[os.path.exists(place) for place in places])
else:
    print(*[os.path.exists(place) for place in places])
