# F-24 (python): files of the run before
# expect: [] [] ['attack.py', 'main.py']
# without: mounts -> exited 1: [[]'mark'] [[]'mark'] *
# twice: same slot
import os

print(os.listdir("/dev/shm"), os.listdir("/tmp"), sorted(os.listdir("/workspace")))
for place in ("/dev/shm/mark", "/tmp/mark", "/workspace/mark"):
    open(place, "x").close()
