# N-05: resolving a name
# expect: gaierror
import socket
try:
    print(socket.getaddrinfo("example.com", 80))
except OSError as error:
    print(type(error).__name__)
