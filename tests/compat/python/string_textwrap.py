import string
import textwrap
import unicodedata

assert string.Template("$a-${b}").substitute(a=1, b=2) == "1-2"
assert textwrap.fill("aa bb cc", 5) == "aa bb\ncc"
assert textwrap.dedent("  a\n    b") == "a\n  b"
assert unicodedata.normalize("NFC", "e\u0301") == "é" and unicodedata.name("€") == "EURO SIGN"
assert f"{1234567.891:,.2f}" == "1,234,567.89"

print("ok")
