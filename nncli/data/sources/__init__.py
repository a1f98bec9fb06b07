"""Where tables are: files, folders, workbooks, databases and object stores, each behind the same reader."""
