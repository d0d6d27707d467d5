import base64

assert base64.b64decode(base64.b64encode(bytes(range(256)))) == bytes(range(256))
assert base64.b32encode(b"docle") == b"MRXWG3DF"
assert base64.b85decode(base64.b85encode(b"docle")) == b"docle"

print("ok")
