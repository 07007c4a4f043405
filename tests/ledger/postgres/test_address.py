"""What a URL says reaches the driver as it was meant."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from redrive import InvalidValue
from redrive.ledger.postgres.address import address_of


def test_blanks_and_pluses_of_a_query_are_what_they_were() -> None:
    """The driver takes a plus for a plus, and not for a blank."""
    address = address_of("postgresql://u@/d?host=/tmp/a+b&options=-c%20work_mem%3D5MB%20-c%20x.y%3D%2B&schema=s")
    given = conninfo_to_dict(address.conninfo)
    assert (given["host"], given["options"]) == ("/tmp/a+b", "-c work_mem=5MB -c x.y=+")
    assert address.schema == "s"


def test_a_schema_that_is_not_named_is_the_default_one() -> None:
    """Beside parameters without a value, which are left to the driver's defaults."""
    assert address_of("postgresql://u@/d").schema == address_of("postgresql://u@/d?sslmode=").schema == "redrive"


@pytest.mark.parametrize("schema", ["schema=", "schema=a&schema=b", f"schema={'x' * 64}", "schema=pg_x", "schema=1x"])
def test_a_schema_that_is_named_is_one_schema(schema: str) -> None:
    """A variable that was empty must not lead to the log of somebody else."""
    with pytest.raises(InvalidValue, match="one schema's name: at most 63 small letters"):
        address_of(f"postgresql://u@/d?{schema}")
