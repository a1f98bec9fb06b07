"""HTTP/1.1 connections, which call an ASGI application: parsing, and limits of size, time and memory."""
