import ssl

context = ssl.create_default_context()
assert len(context.get_ca_certs()) > 50
assert len(ssl.RAND_bytes(16)) == 16
here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
session = context.wrap_bio(here, there, server_hostname="example.org")
try:
    session.do_handshake()
    raise AssertionError("a handshake with nobody")
except ssl.SSLWantReadError:
    assert there.pending > 100

print("ok")
