import bz2
import gzip
import lzma
import zlib

text = b"the quick brown fox " * 1000
for pack, unpack in ((bz2.compress, bz2.decompress), (lzma.compress, lzma.decompress),
                     (zlib.compress, zlib.decompress), (gzip.compress, gzip.decompress)):
    assert unpack(pack(text)) == text and len(pack(text)) < 1000
with gzip.open("file.gz", "wt") as file:
    file.write("kept")
assert gzip.open("file.gz", "rt").read() == "kept"

print("ok")
