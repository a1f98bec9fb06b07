"""What calamine does not tell of a sheet: cells with errors, formulas that were never computed, and merged cells."""
