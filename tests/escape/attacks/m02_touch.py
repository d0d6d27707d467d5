# M-02 (python): a child that touches pages until it is killed: its parent must go with it
# outcome: memory 9
# expect:
# hits: memory
# limits: memory_mb=64
# without: cgroup
import os
import time

if os.fork() == 0:
    pages = bytearray(512 << 20)
    os._exit(0)
os.wait()
time.sleep(2)
print("survived")
