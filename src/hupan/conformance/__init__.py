"""Checks a server against the wire rules from outside, with bytes not built by the contract."""
