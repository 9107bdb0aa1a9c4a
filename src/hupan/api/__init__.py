"""The API for chat clients."""
