"""Aims clients at a sandbox: their host names, a certificate that they trust, and a proxy."""
