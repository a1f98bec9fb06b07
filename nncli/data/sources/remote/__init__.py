"""Tables in object stores and on the web, which are downloaded whole before they are read."""
