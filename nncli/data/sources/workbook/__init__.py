"""Tables in workbooks: .xlsx, .xlsm, .xlsb, .xls and .ods.

calamine reads the cells. It does not tell errors and formulas that were never computed from empty cells, nor, in some
formats, merged cells: the modules that end in `files` find these in the file itself.
"""
