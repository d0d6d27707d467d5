"""The world outside, for a network namespace without an uplink: every address that the namespace has
answers on a few ports, and a name server says what the tests want it to say.

Usage: hosts.py FOLDER, with cert.pem, key.pem, zone.json in it. Appends to FOLDER/log a line for each
question ("dns NAME TYPE") and each connection ("tcp ADDRESS PORT"); with the name that TLS asked for
("sni NAME").

Ports: 53 names, 80 HTTP, 443 HTTPS, 5432 greets first and echoes, 6000 sends what is asked for ("N\\n"
→ N bytes), 6001 takes everything and says how much, 7000 never speaks.
"""

import asyncio
import ipaddress
import json
import pathlib
import ssl
import sys

FOLDER = pathlib.Path(sys.argv[1])
LOG = open(FOLDER / "log", "a", buffering=1, encoding="utf-8")
BLOCK = b"\0" * 262144


def zone():
    return json.loads((FOLDER / "zone.json").read_text())


TURNS = {}


def addresses_of(name):
    """The zone's entry: a list of addresses; a list of lists takes turns; {"cname": name} follows."""
    entry = zone().get(name)
    if isinstance(entry, dict):
        return addresses_of(entry["cname"])
    if entry and isinstance(entry[0], list):
        TURNS[name] = TURNS.get(name, 0) + 1
        return entry[min(TURNS[name] - 1, len(entry) - 1)]
    return entry


class Names(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind = int.from_bytes(data[at + 1 : at + 3], "big")
        question, name = data[12 : at + 5], ".".join(labels).lower()
        LOG.write(f"dns {name} {kind}\n")
        if name == "slow.test":
            return
        found = addresses_of(name)
        wanted = {1: 4, 28: 6}.get(kind)
        answers = [ipaddress.ip_address(one) for one in found or ()]
        answers = [one for one in answers if one.version == wanted]
        code = 3 if found is None else 0
        head = data[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + len(answers).to_bytes(2, "big") + b"\0" * 4
        body = b"".join(
            b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\0" + len(one.packed).to_bytes(2, "big") + one.packed
            for one in answers
        )
        self.transport.sendto(head + question + body, peer)


def accepted(writer):
    address, port = writer.get_extra_info("sockname")[:2]
    LOG.write(f"tcp {address} {port}\n")


async def serve_http(reader, writer):
    accepted(writer)
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").split("\r\n")
            fields = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines[1:] if line)}
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            answer = json.dumps({"line": lines[0], "host": fields.get("host"), "body": len(body)}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                         + str(len(answer)).encode() + b"\r\n\r\n" + answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        pass
    writer.close()


async def serve_greeting(reader, writer):
    accepted(writer)
    writer.write(b"hello\n")
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def serve_bytes(reader, writer):
    accepted(writer)
    try:
        left = int(await reader.readline())
        while left > 0:
            writer.write(BLOCK[: min(left, len(BLOCK))])
            left -= len(BLOCK)
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    writer.close()


async def serve_sink(reader, writer):
    accepted(writer)
    count = 0
    try:
        while data := await reader.read(262144):
            count += len(data)
        writer.write(f"{count}\n".encode())
        await writer.drain()
    except ConnectionError:
        LOG.write(f"reset {count}\n")
    writer.close()


async def serve_silence(reader, writer):
    accepted(writer)
    try:
        await reader.read()
        LOG.write("end 7000\n")
    except ConnectionError:
        LOG.write("reset 7000\n")
    writer.close()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")
    context.sni_callback = lambda _socket, name, _context: LOG.write(f"sni {name}\n") and None
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Names, ("45.45.45.53", 53))
    for host in ("0.0.0.0", "::"):
        await asyncio.start_server(serve_http, host, 80)
        await asyncio.start_server(serve_http, host, 443, ssl=context)
        for port, serve in ((5432, serve_greeting), (6000, serve_bytes), (6001, serve_sink),
                            (7000, serve_silence), (22, serve_greeting)):
            await asyncio.start_server(serve, host, port, limit=1 << 20)
    (FOLDER / "ready").touch()
    await asyncio.Event().wait()


asyncio.run(main())
