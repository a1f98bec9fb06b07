"""A program as an ES module of JavaScript."""

from nncli.extend import ExportFormat

JAVASCRIPT = ExportFormat(
    "js",
    (".mjs", ".js"),
    "Node",
    2,
    "nncli.integrations.javascript.module.to_javascript",
    "nncli.exporters.runtimes.node",
)
