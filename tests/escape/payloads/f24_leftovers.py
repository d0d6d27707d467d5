# F-24: files of the run before
# expect: [] [] []
# twice: yes
import os
print(os.listdir("/dev/shm"), os.listdir("/tmp"), [name for name in os.listdir("/workspace") if name != "main.py"])
open("/dev/shm/mark", "w").write("x"); open("/tmp/mark", "w").write("x"); open("/workspace/mark", "w").write("x")
