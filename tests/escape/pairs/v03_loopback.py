# V-03 (python): a server of the first on the loopback; the second connects, and wants the same port
# expect: ECONNREFUSED ok
# without: netns
import socket
import sys

from attack import attempt

if open("role").read() == "first":
    server = socket.create_server(("127.0.0.1", 9000))
    print("ready", flush=True)
    sys.stdin.read()
else:
    print(attempt(socket.create_connection, ("127.0.0.1", 9000)),
          attempt(socket.create_server, ("127.0.0.1", 9000)))
