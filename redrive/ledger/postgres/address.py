"""Where a log lies on a server: what a ``postgresql://`` URL says."""

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg

from redrive.domain.errors import InvalidValue
from redrive.ledger.urls import hidden

SCHEMA = "redrive"
ACCEPTED = "postgresql://user@host:port/database?schema=name (the schema, redrive by default, holds one log)"
NAMED = "at most 63 small letters, digits and _, not beginning with a digit or pg_"
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
        port, query = parts.port, _query(parts.query)
    except ValueError:
        raise InvalidValue("db", hidden(url), ACCEPTED) from None
    schema = query.pop("schema", SCHEMA)
    database = parts.path.removeprefix("/")
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment or not database or "/" in database:
        raise InvalidValue("db", hidden(url), ACCEPTED)
    if parts.netloc.count("@") > 1:  # libpq would take what follows the first one for the host, and quote it
        raise InvalidValue("db", hidden(url), "a URL with `@` in user or password written as %40")
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidValue("db", schema, f"one schema's name: {NAMED}")
    query_text = urlencode(query, quote_via=quote)
    conninfo = f"postgresql://{parts.netloc}{parts.path}{'?' if query else ''}{query_text}"
    try:
        psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.Error:  # what it says may quote a password
        raise InvalidValue("db", hidden(url), f"{ACCEPTED}; further parameters are those of libpq") from None
    host = parts.hostname or query.get("host") or os.environ.get("PGHOST") or "localhost"
    where = f"{host}:{port}" if port else host
    return Address(conninfo, schema, f"postgresql://{where}/{database}?schema={schema}", database)


def _query(text: str) -> dict[str, str]:
    """As the driver reads it: a plus is a plus. Of a schema, all that is said: none, or two, is not the default one.
    Raises ValueError."""
    said = parse_qsl(text.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(text))
    query = {name: value for name, value in said if value}
    if schemas := [value for name, value in said if name == "schema"]:
        query["schema"] = ", ".join(schemas)
    return query
