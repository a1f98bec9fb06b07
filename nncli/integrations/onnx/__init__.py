"""Models as ONNX."""

from nncli.extend import ExportFormat

ONNX = ExportFormat(
    "onnx",
    (".onnx",),
    "ONNX Runtime",
    1,
    "nncli.integrations.onnx.model.to_onnx",
    "nncli.exporters.runtimes.onnxruntime",
    extra="export",
)
