"""A program as one file of C99; the .c files of this folder are parts that all of them share."""

from nncli.extend import ExportFormat

C = ExportFormat("c", (".c",), "C", 2, "nncli.integrations.c.source_file.to_c", "nncli.exporters.runtimes.c_compiler")
