import datetime
import time
import zoneinfo

summer = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
assert summer.isoformat() == "2024-07-01T12:00:00+02:00"
assert summer.astimezone(zoneinfo.ZoneInfo("America/New_York")).hour == 6
assert datetime.date.fromisoformat("2024-02-29") + datetime.timedelta(days=1) == datetime.date(2024, 3, 1)
assert time.tzname[0] == "UTC"

print("ok")
