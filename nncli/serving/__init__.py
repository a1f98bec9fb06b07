"""Trained runs over HTTP; Starlette, uvicorn and the Prometheus client are imported here alone.

Everything that a client can make grow or wait has a bound and a deadline. An answer has the bits of `nncli predict`.
"""
