# V-16 (python): a mailbox of Unix sockets that outlive their run: each is on the way in a message of the other, so that
# the kernel must first find out that nobody can receive them. A look at what the run before left
# expect: 0
# twice: same slot
# without: scrub
import array
import os
import socket


def send(one, other):
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [other.fileno()]))])


with open("/proc/self/net/unix") as table:
    print(table.read().count("@mail"), flush=True)
for number in range(200):
    first, second = socket.socketpair()
    send(first, second)
    send(second, first)
    mailbox = socket.socket(socket.AF_UNIX)
    mailbox.bind(f"\0mail{number}")
    mailbox.listen()
    send(first, mailbox)
os._exit(0)
