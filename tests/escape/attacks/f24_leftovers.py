# F-24 (python): files of the run before
# Without its mounts a run has no place for its files and does not begin, so no switch shows this.
# expect: [] [] ['attack.py', 'main.py']
# twice: same slot
import os

print(os.listdir("/dev/shm"), os.listdir("/tmp"), sorted(os.listdir("/workspace")))
for place in ("/dev/shm/mark", "/tmp/mark", "/workspace/mark"):
    open(place, "x").close()
