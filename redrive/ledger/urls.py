"""URLs of logs, for messages."""

import re

_PASSWORD = re.compile(r"^([A-Za-z][\w+.-]*://[^:@/?#]*):.*@", re.DOTALL)
_SECRET = re.compile(r"(password=)[^&#]*", re.IGNORECASE)


def hidden(url: object) -> object:
    """*url* without its passwords. Whatever stands before the last ``@`` may be one that nobody escaped."""
    if not isinstance(url, str):
        return url
    return _SECRET.sub(r"\1[redacted]", _PASSWORD.sub(r"\1:[redacted]@", url))
