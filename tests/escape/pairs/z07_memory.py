# Z-07 (python): the second searches its memory for what the first holds, and for words of the server
# Words are kept, and looked for, with every letter moved by one, so that no copy is our own. What the second
# holds itself is found: the search works.
# No switch: what is not there cannot be let in by one.
# expect: 1 0 0 0 0
# first: 23000
import sys

MOVED = bytes((byte + 1) % 256 for byte in range(256))
BACK = bytes((byte - 1) % 256 for byte in range(256))
THEIRS, OURS = b"nbslfs.pg.uif.gjstu.svo", b"nbslfs.pg.uif.tfdpoe.svo"
SERVERS = (b"epdmf.mbvodifs", b"0wbs0mjc0epdmf", b"EPDMF`EBUB`EJS")

if open("role").read() == "first":
    held = THEIRS.translate(BACK) * 1000
    print("ready", flush=True)
    sys.stdin.read()
    print(len(held))
else:
    held = OURS.translate(BACK)
    found = dict.fromkeys((OURS, THEIRS, *SERVERS), False)
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            low, high = (int(word, 16) for word in line.split()[0].split("-"))
            for at in range(low, high, 1 << 20):
                try:
                    memory.seek(at)
                    piece = memory.read(min(1 << 20, high - at)).translate(MOVED)
                except (OSError, OverflowError):
                    continue
                for word in found:
                    found[word] |= word in piece
    print(*[int(one) for one in found.values()])
