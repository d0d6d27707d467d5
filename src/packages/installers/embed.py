"""Makes C arrays of the installers: embed.py OUTPUT INPUT..."""

import pathlib
import sys


def array(path):
    name = path.name.replace(".", "_")
    rows = [", ".join(str(byte) for byte in path.read_bytes()[at : at + 24]) for at in range(0, path.stat().st_size, 24)]
    return (f"const char {name}[] = {{\n" + ",\n".join(rows) + "};\n"
            f"const size_t {name}_length = sizeof({name});\n")


output, *inputs = sys.argv[1:]
pathlib.Path(output).write_text('#include "packages/installers/embedded.h"\n\n'
                                + "\n".join(array(pathlib.Path(path)) for path in inputs))
