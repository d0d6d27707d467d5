"""Servers for test_outbound.c: HTTP that behaves badly when asked to, HTTPS with a CA of its own, SMTP.
Prints one line, "HTTP HTTPS SMTP DEAD CA-FILE", and serves until standard input ends."""

import gzip
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

BOMB = gzip.compress(b"\0" * (64 << 20))
MAILS = []


def answer(sock, status, body=b"", *fields):
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields]
    sock.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def read_request(stream):
    line = stream.readline().decode()
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    fields = {}
    while (line := stream.readline().decode().strip()):
        name, value = line.split(":", 1)
        fields[name.strip().lower()] = value.strip()
    body = stream.read(int(fields.get("content-length", 0)))
    return method, path, fields, body


def handle(sock, request, number, ports):
    """False: the connection is over."""
    method, path, fields, body = request
    if path == "/echo":
        told = f"{method} {fields.get('content-type')} {fields.get('authorization')} {fields.get('cookie')} "
        answer(sock, 200, told.encode() + body, "Set-Cookie: a=b", "X-Seen:  yes ")
    elif path == "/number":
        answer(sock, 200, str(number).encode())
    elif path == "/big":
        answer(sock, 200, b"b" * 100000)
    elif path == "/endless":
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sock.sendall(b"1000\r\n" + b"e" * 4096 + b"\r\n")
    elif path == "/header":
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Long: 0123456789\r\n" * 8000 + b"\r\n")
    elif path == "/bomb":
        answer(sock, 200, BOMB, "Content-Encoding: gzip")
    elif path == "/zipped":
        answer(sock, 200, gzip.compress(b"unzipped"), "Content-Encoding: gzip")
    elif path == "/broken-zip":
        answer(sock, 200, b"\x1f\x8bnothing of the kind", "Content-Encoding: gzip")
    elif path == "/silent":
        sock.recv(1)
        return False
    elif path == "/dribble":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew")
        sock.recv(1)
        return False
    elif path == "/short":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew")
        return False
    elif path == "/reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    elif path == "/garbage":
        sock.sendall(b"\0\1\2 this is no HTTP\r\n\r\n")
        return False
    elif path == "/missing":
        answer(sock, 404, b"none")
    elif path == "/loop":
        answer(sock, 302, b"body of the redirection", "Location: /loop")
    elif path == "/to-echo":
        answer(sock, 302, b"body of the redirection", "Location: /echo")
    elif path == "/to-other":
        answer(sock, 302, b"", f"Location: http://localhost:{ports['http']}/echo")
    elif path == "/to-http":
        answer(sock, 302, b"", f"Location: http://127.0.0.1:{ports['http']}/echo")
    elif path == "/to-file":
        answer(sock, 302, b"", "Location: file:///etc/passwd")
    else:
        answer(sock, 500)
    return True


def serve_http(sock, number, ports):
    stream = sock.makefile("rb")
    try:
        while (request := read_request(stream)) and handle(sock, request, number, ports):
            pass
    except OSError:
        pass
    stream.close()
    sock.close()


def serve_smtp(sock, number, ports):
    del number, ports
    stream = sock.makefile("rb")
    sock.sendall(b"220 test\r\n")
    try:
        while (line := stream.readline().decode().strip()):
            word = line.upper()
            if word.startswith("RCPT TO:<GONE"):
                sock.sendall(b"550 no such user\r\n")
            elif word.startswith("RCPT TO:<FULL"):
                sock.sendall(b"452 mailbox full\r\n")
            elif word == "DATA":
                sock.sendall(b"354 go on\r\n")
                text = b""
                while (more := stream.readline()) not in (b".\r\n", b""):
                    text += more
                MAILS.append(text)
                sock.sendall(b"250 taken\r\n" if b"Subject: hello" in text else b"554 odd\r\n")
            elif word == "QUIT":
                sock.sendall(b"221 bye\r\n")
                break
            else:
                sock.sendall(b"250 well\r\n")
    except OSError:
        pass
    stream.close()
    sock.close()


def listen(serve, ports, context=None):
    server = socket.create_server(("127.0.0.1", 0))

    def one(sock, number):
        try:
            serve(context.wrap_socket(sock, server_side=True) if context else sock, number, ports)
        except (OSError, ssl.SSLError):
            sock.close()

    def loop():
        number = 0
        while True:
            sock, _ = server.accept()
            number += 1
            threading.Thread(target=one, args=(sock, number), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return server.getsockname()[1]


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem",
         "-out", "ca.pem", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=folder, check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/ca.pem", f"{folder}/key.pem")
    return context


def main():
    with tempfile.TemporaryDirectory() as folder:
        ports = {}
        context = make_certificate(folder)
        dead = socket.create_server(("127.0.0.1", 0))
        dead_port = dead.getsockname()[1]
        dead.close()
        ports["http"] = listen(serve_http, ports)
        https = listen(serve_http, ports, context)
        smtp = listen(serve_smtp, ports)
        print(ports["http"], https, smtp, dead_port, os.path.join(folder, "ca.pem"), flush=True)
        sys.stdin.read()


main()
