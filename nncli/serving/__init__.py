"""Trained runs over HTTP; everything that knows Starlette, uvicorn and the Prometheus client."""
