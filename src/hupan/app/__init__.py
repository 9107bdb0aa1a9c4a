"""The composition root: builds everything once; the only layer that knows everything."""
