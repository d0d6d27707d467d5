# M-12 (python): the second reads all of the root, again and again, while the first holds memory
# The pages are the kernel's to drop, so that nothing is hit; the first has all that it had. There is nothing to switch off.
# expect: True
# first: True
# limits: memory_mb=64
import os
import sys

if open("role").read() == "first":
    held = os.urandom(1 << 20) * 24
    before = hash(held)
    print("ready", flush=True)
    sys.stdin.read()
    print(hash(bytes(bytearray(held))) == before)
else:
    total = 0
    for _ in range(2):
        for folder, _, names in os.walk("/usr"):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    with open(path, "rb", buffering=0) as file:
                        while piece := file.read(1 << 20):
                            total += len(piece)
    print(total > 128 << 20)
