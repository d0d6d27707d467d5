"""Fake hosts for runs whose network is switched on by switching its defences off: a namespace with a
loopback that has their addresses, and no way out. Started in that namespace; says "ready", serves until
its standard input ends.

  198.51.100.1, 2001:db8::1   TCP 80, 443: an HTTP answer
  127.0.0.1                   UDP 53: every name is 198.51.100.1
"""

import os
import socket
import subprocess
import sys
import threading

HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nouter"


def serve_http(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.create_server((address, port), family=family)
    while True:
        client = server.accept()[0]
        client.settimeout(5)
        threading.Thread(target=answer_http, args=(client,), daemon=True).start()


def answer_http(client):
    try:
        if client.recv(4096):
            client.sendall(HTTP)
    except OSError:
        pass
    finally:
        client.close()


def serve_names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, client = server.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4:end - 2] == b"\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton("198.51.100.1") if is_a else b""
        head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + bytes(4)
        server.sendto(head + query[12:end] + record, client)


for command in ("link set lo up", "addr add 198.51.100.1/32 dev lo", "-6 addr add 2001:db8::1/128 dev lo nodad"):
    subprocess.run(["ip", *command.split()], check=True)
for host in ("198.51.100.1", "2001:db8::1"):
    for number in (80, 443):
        threading.Thread(target=serve_http, args=(host, number), daemon=True).start()
threading.Thread(target=serve_names, daemon=True).start()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
os._exit(0)
