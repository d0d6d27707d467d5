"""Do the store's migrations and statements mean something to PostgreSQL too?

Starts a server of its own in a folder of its own (no network), applies src/store/migrations and
prepares every statement of src/store/*.c. Skipped (77) where PostgreSQL is not installed.
"""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(sys.argv[1])


def find_bin():
    folders = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    return sorted(folders)[-1] if folders else None


def literals(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def statements():
    """(file, name, SQL) of every static string called sql or sql_…; macros of text expanded."""
    found = []
    for path in sorted(SOURCE.glob("*.c")):
        if path.name == "db_sqlite.c":
            continue
        source = path.read_text()
        for macro, body in re.findall(r"#define ([A-Z_]+)((?:.*\\\n)*.*)", source):
            source = re.sub(rf"(?<!define )\b{macro}\b", f'"{literals(body)}"', source)
        for name, body in re.findall(r"static const char (sql\w*)\[\] =((?:[^;\"]|\"[^\"]*\")*);",
                                     source):
            found.append((path.name, name, literals(body)))
    return found


def script():
    lines = ["\\set ON_ERROR_STOP on"]
    found = statements()
    table = [sql for _, _, sql in found if sql.startswith("CREATE TABLE")]
    lines += [f"{sql};" for sql in table]
    lines += [path.read_text() for path in sorted((SOURCE / "migrations").glob("*.sql"))]
    prepared = [row for row in found if not row[2].startswith("CREATE TABLE")]
    for number, (file, name, sql) in enumerate(prepared):
        lines.append(f"\\echo {file} {name}")
        lines.append(f"PREPARE s{number} AS {sql};")
    lines.append("\\echo DONE")
    return "\n".join(lines), len(prepared)


def main():
    folder = find_bin()
    if not folder:
        print("PostgreSQL is not installed")
        sys.exit(77)
    text, count = script()
    if count < 25:
        sys.exit(f"only {count} statements found in {SOURCE}")
    home = tempfile.mkdtemp(prefix="docle-pg-")
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = f"{home}/data"
    run = lambda *args, **kw: subprocess.run([*as_user, *args], cwd=home, check=True, **kw)
    quiet = {"stdout": subprocess.DEVNULL}
    try:
        run(f"{folder}/initdb", "-D", data, "-A", "trust", "-U", "docle", "--no-sync", **quiet)
        run(f"{folder}/pg_ctl", "-D", data, "-w", "-l", f"{home}/log", "-o",
            f"-c listen_addresses='' -k {home} -F", "start", **quiet)
        try:
            out = run(f"{folder}/psql", "-h", home, "-U", "docle", "-qX", "postgres", input=text,
                      text=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error.stdout}\n{error.stderr}")
        finally:
            run(f"{folder}/pg_ctl", "-D", data, "-m", "immediate", "stop", **quiet)
        if "DONE" not in out.stdout:
            sys.exit(out.stdout + out.stderr)
        print(f"{count} statements prepared")
    finally:
        shutil.rmtree(home)


main()
