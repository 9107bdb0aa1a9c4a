"""Build what operators install: `make packages`."""
