# F-14: a set-uid copy of a shell
# expect: 1000 1000
import shutil, subprocess
shutil.copy("/bin/sh", "/tmp/sh")
subprocess.run(["chmod", "6755", "/tmp/sh"], check=True)
print(subprocess.run(["/tmp/sh", "-c", "echo $(id -u) $(id -g)"], capture_output=True, text=True).stdout.strip())
