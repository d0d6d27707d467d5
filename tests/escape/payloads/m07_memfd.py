# M-07: memory in a memfd
# expect: memory 9
# outcome: yes
import os
fd = os.memfd_create("m")
while True:
    os.write(fd, bytes(1 << 20))
