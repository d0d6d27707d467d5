"""Turns the built console into C: embed.py OUTPUT.c OUTPUT.bin [FOLDER]. Without a folder: no files.

All files in all codings stand one after another in OUTPUT.bin, which the assembler includes; the
table in OUTPUT.c says where each begins.
"""

import hashlib
import pathlib
import sys

CODINGS = {"brotli": ".br", "gzip": ".gz"}


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    output, blob_path, *folder = sys.argv[1:]
    blob = bytearray()
    rows = []

    def place(data):
        at = len(blob)
        blob.extend(data)
        return f"{{blob + {at}, {len(data)}}}"

    root = pathlib.Path(folder[0]) if folder else None
    paths = sorted("/" + path.relative_to(root).as_posix() for path in root.rglob("*")
                   if path.is_file() and path.suffix not in CODINGS.values()) if root else []
    for path in paths:
        data = (root / path[1:]).read_bytes()
        parts = [f".path = {c_string(path)}", f".etag = \"\\\"{hashlib.sha256(data).hexdigest()[:20]}\\\"\"",
                 f".plain = {place(data)}"]
        for name, ending in CODINGS.items():
            coded = root / (path[1:] + ending)
            if coded.exists():
                parts.append(f".{name} = {place(coded.read_bytes())}")
        parts.append(f".immutable = {'true' if path.startswith('/assets/') else 'false'}")
        rows.append("    {" + ", ".join(parts) + "},")
    pathlib.Path(blob_path).write_bytes(bytes(blob) + b"\0")
    lines = ['#include "ui/ui.h"', ""]
    if rows:
        lines += [
            '__asm__(".section .rodata\\n"',
            '        ".balign 16\\n"',
            '        "ui_blob: .incbin \\"' + blob_path + '\\"\\n"',
            '        ".previous\\n");',
            'extern const unsigned char blob[] __asm__("ui_blob") __attribute__((visibility("hidden")));',
            "",
            "static const struct ui_file files[] = {",
            *rows,
            "};",
            "",
            "const struct ui_files ui_embedded = {.files = files, .count = sizeof(files) / sizeof(files[0])};",
        ]
    else:
        lines.append("const struct ui_files ui_embedded = {0};")
    pathlib.Path(output).write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
