# N-05 (python): resolving a name: no answer, at once
# expect: True True
# without: netns + service-netns -> exited 0: ok
import socket
import time

start = time.monotonic()
try:
    socket.getaddrinfo("example.com", 443)
    print("ok")
except socket.gaierror as error:
    known = (socket.EAI_AGAIN, socket.EAI_NONAME)
    print(error.errno in known, time.monotonic() - start < 4)
