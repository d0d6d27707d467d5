"""Asks the host's own pip which index it uses: "key<TAB>value" lines for make-root. index and more are addresses,
hosts is every host that packages may come from, cert a bundle of certificates, file a configuration file."""

import netrc
import os
from urllib.parse import quote, urlsplit, urlunsplit

from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI

configuration = Configuration(isolated=False)
configuration.load()


def setting(name):
    """As `pip install` would take it: later sections win over earlier ones, and the environment over files."""
    values = dict(configuration.items())
    for section in (":env:", "install", "global"):
        if values.get(f"{section}.{name}"):
            return values[f"{section}.{name}"]
    return None


def with_netrc(url):
    """As pip would sign in: what the address says itself comes first."""
    parts = urlsplit(url)
    if parts.username or not parts.hostname:
        return url
    try:
        known = netrc.netrc(os.environ.get("NETRC")).hosts.get(parts.hostname)
    except (OSError, netrc.NetrcParseError):
        return url
    if not known:
        return url
    return urlunsplit(parts._replace(netloc=f"{quote(known[0], '')}:{quote(known[2], '')}@{parts.netloc}"))


def main():
    index = with_netrc(setting("index-url") or PyPI.simple_url)
    more = [with_netrc(url) for url in (setting("extra-index-url") or "").split()]
    hosts = [urlsplit(url).netloc.rpartition("@")[2] for url in (index, *more)]
    if index.rstrip("/") == PyPI.simple_url.rstrip("/"):
        hosts.append(PyPI.file_storage_domain)
    print("index", index, sep="\t")
    if more:
        print("more", *more, sep="\t")
    print("hosts", " ".join(dict.fromkeys(hosts)), sep="\t")
    if setting("cert"):
        print("cert", setting("cert"), sep="\t")
    for _, files in configuration.iter_config_files():
        for file in files:
            print("file", file, sep="\t")


main()
