# V-02 (python): a mailbox in the abstract names of unix sockets, which no file system bounds
# Two layers: without the network namespace Landlock still forbids it; without both the mail arrives.
# expect: ECONNREFUSED
# without: netns -> EPERM
# without: netns + landlock -> ok
import socket
import sys

from attack import attempt

mailbox = socket.socket(socket.AF_UNIX)
if open("role").read() == "first":
    mailbox.bind("\0mailbox")
    mailbox.listen()
    print("ready", flush=True)
    sys.stdin.read()
else:
    print(attempt(mailbox.connect, "\0mailbox"))
