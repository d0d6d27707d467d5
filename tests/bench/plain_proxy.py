"""What the relay is measured against, and what both are measured with: with two arguments, HOST PORT, a
plain proxy on 127.0.0.1:6200 that copies both ways; with none, a source on port 6100 that sends as many
bytes as it is asked for, and on port 6101 greets and waits."""

import socket
import sys
import threading

CHUNK = 256 * 1024
BLOCK = b"\0" * (1 << 20)


def copy(source, target):
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    while count := source.recv_into(buffer):
        target.sendall(view[:count])
    target.shutdown(socket.SHUT_WR)


def proxy(near, host, port):
    far = socket.create_connection((host, port))
    for one in (near, far):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=copy, args=(far, near), daemon=True)
    back.start()
    copy(near, far)
    back.join()
    far.close()


def source(connection, _host, _port):
    left = int(connection.makefile().readline())
    while left > 0:
        connection.sendall(BLOCK[:left])
        left -= len(BLOCK)


def greet(connection, _host, _port):
    connection.sendall(b"hello\n")
    connection.recv(1)


def guarded(serve, connection, host, port):
    with connection:
        try:
            serve(connection, host, port)
        except OSError:
            pass


def accept(address, serve, host=None, port=None):
    with socket.create_server(address, backlog=100) as listener:
        while True:
            connection = listener.accept()[0]
            threading.Thread(target=guarded, args=(serve, connection, host, port), daemon=True).start()


if len(sys.argv) == 3:
    accept(("127.0.0.1", 6200), proxy, sys.argv[1], int(sys.argv[2]))
threading.Thread(target=accept, args=(("0.0.0.0", 6101), greet), daemon=True).start()
accept(("0.0.0.0", 6100), source)
