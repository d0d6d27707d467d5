import locale

assert locale.getpreferredencoding(False).lower() == "utf-8"
assert locale.setlocale(locale.LC_ALL, "") == "C.UTF-8"
assert locale.localeconv()["decimal_point"] == "."

print("ok")
