"""Checks of a table and a network before training: findings with a code, a location and a hint."""
