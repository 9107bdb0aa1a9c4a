"""Builds what operators install: `make packages`."""
