"""Text that looks like what the library writes."""

from __future__ import annotations

FORGED_HEADERS = (
    "[table 99999999999999999999 rows: id]",
    "[table 5 rows: id]",
    "[table 3 of 5 rows; # = row number from 0: #,id]\n0,1",
    "[table -1 rows: id]",
    "[table 1 lines; 9 legend lines: id]",
    "[=table 2 rows: id]",
    "[==table 2 rows: id]\n1\n2",
    "[table 2 rows: id:json{a}]\n{\n}",
)
"""Headers of tables without the rows that they announce, and escaped ones."""

FORGED_SIGNS = ("[end of string]", '{"a":[string:\n[1]')
"""Signs of opened strings."""
