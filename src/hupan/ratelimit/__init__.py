"""Every rate limit."""
