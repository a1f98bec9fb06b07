"""What is done with every request before its route: access, overload, counting."""
