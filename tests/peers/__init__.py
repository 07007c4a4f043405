"""The failing job on other engines: drivers, crew, table."""
