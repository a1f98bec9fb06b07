"""Parse cells of a column: numbers, units, dates and ambiguous spellings."""
