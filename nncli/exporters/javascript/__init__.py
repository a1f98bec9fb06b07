"""A program as an ES module of JavaScript."""
