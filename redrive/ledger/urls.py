"""URLs of logs: what lies where, and how they are shown."""

import re
from urllib.parse import unquote

from redrive.domain.errors import InvalidValue

_COLON = re.compile(r":(?!//)")
_NO_PORT = re.compile(r"(://[^:@/?#]*):(?!\d*(?:[/?#]|$))[^@/?#]*(?=[/?#]|$)")
_SERVER = re.compile(r"postgres(?:ql)?(?:\+\w+)?://.*", re.DOTALL | re.IGNORECASE)
_BETWEEN = re.compile(r"(?<![\s,])[\s,]+(?=[a-z][a-z0-9+.-]*:/)")
_SECRET = re.compile(r"(password=)[^&#]*", re.IGNORECASE)


def is_server(location: str) -> bool:
    """Whether a log lies on a server, and not in a file."""
    return location.startswith(("postgresql://", "postgres://"))


def urls_in(text: str) -> tuple[str, ...]:
    """The URLs in *text*, between which commas or blanks stand. Only what looks like the beginning of a URL ends the
    one before: a file name may have blanks and commas in it."""
    return tuple(_BETWEEN.split(text.strip()))


def location_of(url: str) -> str:
    """What the ledger opens: the file that a ``sqlite:///`` URL names, or the URL of a server. Raises InvalidValue."""
    if isinstance(url, str) and len(urls_in(url)) > 1:
        raise InvalidValue("db", hidden(url), "one URL in a text; several are given as a list")
    if isinstance(url, str) and is_server(url):
        try:
            from redrive.ledger.postgres.address import address_of
        except ImportError as error:
            raise InvalidValue("db", "postgresql://…", f"pip install 'redrive[postgres]' first ({error})") from None
        address_of(url)
        return url
    return _path_of(url)


def _path_of(url: str) -> str:
    """The file that a ``sqlite:///`` URL names. Raises InvalidValue."""
    if not isinstance(url, str):
        raise InvalidValue("db", url, "a URL as text, such as sqlite:///redrive.db")
    scheme, separator, rest = url.partition(":///")
    path = unquote(rest)
    if scheme != "sqlite" or not separator or not path or "\x00" in path or path.startswith(":memory:"):
        raise InvalidValue(
            "db", hidden(url), "sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://…"
        )
    return path


def hidden(url: object) -> object:
    """*url* without its passwords. Whatever stands before the last ``@`` may be one that nobody escaped, and what
    stands where a port does one whose host was forgotten."""
    if not isinstance(url, str):
        return url
    if "sqlite:///" in url:  # a file's name may have all of these signs in it, a server's URL beside it a password
        return _SERVER.sub(lambda server: _masked(server[0]), url)
    return _masked(url)


def _masked(url: str) -> str:
    before, at, after = url.rpartition("@")
    if colon := _COLON.search(before + at):
        url = f"{url[: colon.start()]}:[redacted]@{after}"
    return _SECRET.sub(r"\1[redacted]", _NO_PORT.sub(r"\1:[redacted]", url))
