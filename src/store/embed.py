"""Turns migrations/*.sql into a C table for SQLite: embed.py OUTPUT embed.py INPUT..."""

import pathlib
import re
import sys


def to_sqlite(sql):
    sql = re.sub(r"^--sqlite ", "", sql, flags=re.M)
    sql = re.sub(r"\s*--.*$", "", sql, flags=re.M)
    sql = re.sub(r"\bBIGINT\b", "INTEGER", sql)
    sql = re.sub(r"\bBYTEA\b", "BLOB", sql)
    return re.sub(r"^\);$", ") STRICT, WITHOUT ROWID;", sql, flags=re.M)


def c_string(text):
    lines = [line for line in text.splitlines() if line.strip()]
    escape = lambda line: line.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(f'     "{escape(line)}\\n"' for line in lines)


def main():
    output, _self, *inputs = sys.argv[1:]
    rows = []
    for number, path in enumerate(map(pathlib.Path, inputs), start=1):
        if int(path.name.split("_")[0]) != number:
            sys.exit(f"{path.name}: expected number {number:04}")
        text = c_string(to_sqlite(path.read_text()))
        rows.append(f'    {{{number}, "{path.stem}",\n{text}}},')
    body = "\n".join(rows)
    pathlib.Path(output).write_text(
        '#include "store/migrate.h"\n\n'
        f"const struct migration migrations[] = {{\n{body}\n}};\n\n"
        f"const int migration_count = {len(rows)};\n"
    )


main()
