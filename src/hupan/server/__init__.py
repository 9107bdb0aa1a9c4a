"""Connections: sockets, limits of size and time, worker processes."""
