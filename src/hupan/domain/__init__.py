"""The rules and decisions; no HTTP, no SQL."""
