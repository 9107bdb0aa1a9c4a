"""Holds a server to the wire rules, from outside, with bytes that no contract has made."""
