"""Database access: all SQL is here."""
