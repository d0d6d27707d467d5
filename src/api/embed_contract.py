"""Turns docs/openapi.yaml into a C array of its JSON: embed_contract.py OUTPUT INPUT VERSION."""

import json
import pathlib
import sys

import yaml


def main():
    output, source, version = sys.argv[1:]
    contract = yaml.safe_load(pathlib.Path(source).read_text(encoding="utf-8"))
    if contract["info"]["version"] != version:
        sys.exit(f"{source}: info.version is not the program's version {version}")
    data = json.dumps(contract, ensure_ascii=False, separators=(",", ":")).encode()
    rows = [
        "    " + ", ".join(str(byte) for byte in data[at : at + 20]) + ","
        for at in range(0, len(data), 20)
    ]
    pathlib.Path(output).write_text(
        '#include "api/contract.h"\n\n'
        "const unsigned char contract_json[] = {\n" + "\n".join(rows) + "\n};\n\n"
        "const size_t contract_json_length = sizeof(contract_json);\n",
        encoding="utf-8",
    )


main()
