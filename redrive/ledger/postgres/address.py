"""Where a log lies on a server: what a ``postgresql://`` URL says."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg  # noqa: F401  (says at once that the driver is missing)

from redrive.domain.errors import InvalidValue

SCHEMA = "redrive"
ACCEPTED = "postgresql://user@host:port/database?schema=name (the schema, redrive by default, holds one log)"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Address(NamedTuple):
    """A *conninfo* for the driver, the *schema* with the tables, and a *label* without a password for messages."""

    conninfo: str
    schema: str
    label: str
    database: str


def address_of(url: str) -> Address:
    """What *url* says. Raises InvalidValue."""
    try:
        parts = urlsplit(url)
        port, query = parts.port, dict(_query(parts.query))
    except ValueError:
        raise InvalidValue("db", hidden(url), ACCEPTED) from None
    schema = query.pop("schema", SCHEMA)
    database = parts.path.removeprefix("/")
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment or not database or "/" in database:
        raise InvalidValue("db", hidden(url), ACCEPTED)
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidValue("db", schema, "a schema's name of small letters, digits and _, not beginning with pg_")
    conninfo = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))
    host = parts.hostname or query.get("host") or "localhost"
    where = f"{host}:{port}" if port else host
    return Address(conninfo, schema, f"postgresql://{where}/{database}?schema={schema}", database)


def _query(text: str) -> list[tuple[str, str]]:
    """As the driver reads it: a plus is a plus. Raises ValueError."""
    return parse_qsl(text.replace("+", "%2B"), strict_parsing=bool(text))


def hidden(url: str) -> str:
    """*url* without its password, for messages."""
    return re.sub(r"(?<=://)([^:@/?#]*):[^@/?#]*@", r"\1:[redacted]@", url)
