"""Where on earth an address is."""
