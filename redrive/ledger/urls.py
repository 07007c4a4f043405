"""URLs of logs, for messages."""

import re

_PASSWORD = re.compile(r"((?:[A-Za-z][\w+.-]*://)?[^:@/?#]*):(?!//).*@", re.DOTALL)
_NO_PORT = re.compile(r"(://[^:@/?#]*):(?!\d*(?:[/?#]|$))[^@/?#]*(?=[/?#]|$)")
_SERVER = re.compile(r"postgres(?:ql)?(?:\+\w+)?://.*", re.DOTALL | re.IGNORECASE)
_SECRET = re.compile(r"(password=)[^&#]*", re.IGNORECASE)


def hidden(url: object) -> object:
    """*url* without its passwords. Whatever stands before the last ``@`` may be one that nobody escaped, and what
    stands where a port does one whose host was forgotten."""
    if not isinstance(url, str):
        return url
    if "sqlite:///" in url:  # a file's name may have all of these signs in it, a server's URL beside it a password
        return _SERVER.sub(lambda server: _masked(server[0]), url)
    return _masked(url)


def _masked(url: str) -> str:
    return _SECRET.sub(r"\1[redacted]", _NO_PORT.sub(r"\1:[redacted]", _PASSWORD.sub(r"\1:[redacted]@", url)))
