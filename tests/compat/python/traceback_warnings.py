import traceback
import warnings

try:
    try:
        {}["missing"]
    except KeyError as error:
        raise ValueError("outer") from error
except ValueError:
    text = traceback.format_exc()
assert "KeyError: 'missing'" in text and "direct cause" in text and '{}["missing"]' in text
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("careful", DeprecationWarning)
assert [str(w.message) for w in caught] == ["careful"]

print("ok")
