"""Loads a running server and tells what it answered."""
