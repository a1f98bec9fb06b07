"""The Open Inference Protocol V2: tensors, requests, answers and metadata."""
