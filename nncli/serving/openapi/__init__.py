"""The description of a server's addresses in OpenAPI 3.1, from the columns of its models."""
