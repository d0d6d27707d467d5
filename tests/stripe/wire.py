"""Forms as Stripe reads them, signatures as it writes them."""

import hashlib
import hmac
import re
import urllib.parse

KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")


class BadForm(Exception):
    pass


def parse_form(text):
    """"a[b]=1&c[0][d]=2" as nested dicts; lists are dicts with keys "0", "1", … until listed()."""
    root = {}
    for name, value in urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        found = KEY.match(name)
        if not found:
            raise BadForm(f"Invalid parameter name: {name}")
        path = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        at = root
        for part in path[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise BadForm(f"Parameter given as value and as hash: {name}")
        if path[-1] in at:
            raise BadForm(f"Parameter given twice: {name}")
        at[path[-1]] = value
    return root


def listed(value):
    """The entries of an indexed list; None is an empty one."""
    if value is None:
        return []
    if not isinstance(value, dict) or sorted(value, key=int) != [str(i) for i in range(len(value))]:
        raise BadForm("Arrays are sent with indices from 0 on")
    return [value[str(i)] for i in range(len(value))]


def sign(secret, body, stamp):
    """One v1 signature of a body (bytes)."""
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def signature_header(secrets, body, stamp):
    """As Stripe sends it while a secret is rolled: one v1 for each, and the old scheme besides."""
    parts = [f"t={stamp}", *(f"v1={sign(secret, body, stamp)}" for secret in secrets), "v0=" + "0" * 64]
    return ",".join(parts)
