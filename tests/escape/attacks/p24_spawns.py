# P-24 (python): programs started one after the other as fast as it goes, by posix_spawn, which is a vfork
# All of it is allowed, so there is nothing to switch off; test_many.py runs others meanwhile.
# expect: True
import os
import time

count, end = 0, time.monotonic() + 1
while count <= 10 or time.monotonic() < end:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    count += 1
print(count > 10)
