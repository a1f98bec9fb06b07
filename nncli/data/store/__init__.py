"""A table in a temporary file, read by column or by block, so that it need not fit into memory."""
