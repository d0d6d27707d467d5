import platform
import sys
import sysconfig

assert platform.system() == "Linux" and platform.node() == "docle"
assert sys.argv == ["/workspace/main.py"] and sys.path[0] == "/workspace"
assert sys.executable and sys.stdout.encoding == "utf-8" and sys.getfilesystemencoding() == "utf-8"
assert sysconfig.get_python_version() == "%d.%d" % sys.version_info[:2]
assert sys.getrecursionlimit() == 1000 and sys.flags.isolated == 0

print("ok")
