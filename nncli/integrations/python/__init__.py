"""A program as one Python file that needs NumPy alone."""

from nncli.extend import ExportFormat

PYTHON = ExportFormat(
    "python",
    (".py",),
    "Python",
    2,
    "nncli.integrations.python.source_file.to_python",
    "nncli.exporters.runtimes.process",
)
