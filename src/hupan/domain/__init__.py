"""What is allowed: rules and decisions; no HTTP, no SQL."""
