import sqlite3

for where in (":memory:", "/workspace/file.db"):
    with sqlite3.connect(where) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO t (name) VALUES (?)", [("a",), ("b",)])
        assert connection.execute("SELECT count(*), max(name) FROM t").fetchone() == (2, "b")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()

print("ok")
