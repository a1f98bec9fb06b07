"""The pages for people: a form to try a model, and the documentation of the server."""
