import calendar

assert calendar.isleap(2024)
assert calendar.monthrange(2024, 2) == (3, 29)
assert "February 2024" in calendar.month(2024, 2)

print("ok")
