# P-04 (python): threads without end, of which 300 would do
# expect: can't start new thread
# hits: processes
# without: cgroup
import os
import threading

forever = threading.Event()
try:
    for count in range(300):
        threading.Thread(target=forever.wait, daemon=True).start()
    print(count, flush=True)
except RuntimeError as error:
    print(error, flush=True)
os._exit(0)
