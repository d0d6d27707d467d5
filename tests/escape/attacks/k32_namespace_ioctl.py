# K-32 (python): from a namespace to its owner and its parent: NS_GET_USERNS, NS_GET_PARENT
# expect: ENOTTY ENOTTY ENOTTY
# without: seccomp -> exited 0: EPERM EPERM EPERM
import fcntl
import os

from attack import attempt

files = {name: os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("user", "net", "pid")}
print(attempt(fcntl.ioctl, files["user"], 0xB702), attempt(fcntl.ioctl, files["net"], 0xB701),
      attempt(fcntl.ioctl, files["pid"], 0xB702))
