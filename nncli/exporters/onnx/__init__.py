"""A program as an ONNX model, which ONNX Runtime computes in Python, C, C++, Java, C# and browsers."""
