"""Puts an ASGI app on sockets: limits, deadlines, workers, a graceful end."""
