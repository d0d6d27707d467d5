"""Asks the host's own pip which index it uses: "key<TAB>value" lines for make-root. index and more are addresses,
hosts is every host that packages may come from, cert a bundle of certificates, file a configuration file."""

from urllib.parse import urlsplit

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


def main():
    index = setting("index-url") or PyPI.simple_url
    more = (setting("extra-index-url") or "").split()
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
