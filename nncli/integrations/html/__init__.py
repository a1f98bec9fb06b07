"""A program as a page with a form."""

from nncli.extend import ExportFormat

HTML = ExportFormat(
    "html",
    (".html", ".htm"),
    "Chromium",
    2,
    "nncli.integrations.html.page.to_html",
    "nncli.exporters.runtimes.chromium",
)
