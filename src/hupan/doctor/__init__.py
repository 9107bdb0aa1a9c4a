"""Finds out why clients do not work with a server: what is wrong, why, and what to do."""
