import binascii
import struct

assert struct.pack(">IhQ", 1, -2, 3).hex() == "00000001fffe0000000000000003"
assert struct.unpack("<2sf", b"ab\x00\x00\x80\x3f") == (b"ab", 1.0)
assert binascii.crc32(b"docle") == binascii.crc32(b"cle", binascii.crc32(b"do"))

print("ok")
