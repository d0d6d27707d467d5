import difflib

assert difflib.get_close_matches("appel", ["ape", "apple"])[0] == "apple"
assert "+new\n" in list(difflib.unified_diff(["old\n"], ["new\n"]))

print("ok")
