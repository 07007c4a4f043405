"""What a URL says reaches the driver as it was meant."""

from psycopg.conninfo import conninfo_to_dict

from redrive.ledger.postgres.address import address_of


def test_blanks_and_pluses_of_a_query_are_what_they_were() -> None:
    """The driver takes a plus for a plus, and not for a blank."""
    address = address_of("postgresql://u@/d?host=/tmp/a+b&options=-c%20work_mem%3D5MB%20-c%20x.y%3D%2B&schema=s")
    given = conninfo_to_dict(address.conninfo)
    assert (given["host"], given["options"]) == ("/tmp/a+b", "-c work_mem=5MB -c x.y=+")
    assert address.schema == "s"
