"""HTTP/1.1 connections: parsing, limits of size, time and memory; given to uvicorn instead of its own protocol."""
