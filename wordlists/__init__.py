"""Common passwords: where the filter that the server ships comes from."""
