import re

match = re.fullmatch(r"(?P<year>\d{4})-(?P<month>\d\d)", "2024-05")
assert match.groupdict() == {"year": "2024", "month": "05"}
assert re.sub(r"(\w+) (\w+)", r"\2 \1", "a b") == "b a"
assert re.findall("é+", "ééxé") == ["éé", "é"]
assert re.split(r"[,;]\s*", "a, b;c") == ["a", "b", "c"]

print("ok")
