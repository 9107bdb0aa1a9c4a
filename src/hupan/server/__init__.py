"""How connections come in."""
