# K-18 (python): typing into a terminal that is our standard input: TIOCSTI, TIOCLINUX, TIOCSETD
# expect: True ENOTTY ENOTTY ENOTTY
# stdin: terminal
# without: seccomp
import fcntl
import os

from attack import attempt

print(os.isatty(0), *[attempt(fcntl.ioctl, 0, request, b"\x02\0\0\0") for request in (0x5412, 0x541C, 0x5423)])
