# F-14 (python): a set-uid copy of a shell, and what the root has of such files
# A file that a run makes is its own, so there is nobody to become by it, whatever is switched off.
# expect: 1000 1000 0
import os
import shutil
import stat
import subprocess

shutil.copy("/bin/sh", "/tmp/sh")
subprocess.run(["chmod", "6755", "/tmp/sh"], check=True)
ids = subprocess.run(["/tmp/sh", "-pc", "echo $(id -u) $(id -g)"], capture_output=True, text=True).stdout.strip()
found = 0
for top in ("/usr", "/etc", "/var"):
    for folder, _, names in os.walk(top):
        for name in names:
            mode = os.lstat(os.path.join(folder, name)).st_mode
            found += stat.S_ISREG(mode) and mode & 0o6000 != 0
print(ids, found)
