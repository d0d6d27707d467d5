# F-23 (python): a program of our own: it runs, under the same seals
# expect: 1 2 0 EPERM
# without: seccomp
# without: caps
import os
import shutil
import subprocess
import sys

shutil.copy(sys.executable, "/tmp/own")
code = """
from attack import call
lines = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print(lines["NoNewPrivs"], lines["Seccomp"], int(lines["CapBnd"], 16), call("unshare", 0x10000000))
"""
environment = {**os.environ, "PYTHONPATH": "/workspace", "PYTHONHOME": sys.prefix}
print(subprocess.run(["/tmp/own", "-c", code], capture_output=True, text=True, env=environment).stdout.strip())
