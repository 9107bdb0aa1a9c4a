"""Finds out why clients do not get along with a server: what is wrong, why, and what helps."""
