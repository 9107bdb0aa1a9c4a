"""Where it is kept; the only place with SQL."""
