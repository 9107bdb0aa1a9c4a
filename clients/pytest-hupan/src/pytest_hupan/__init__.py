"""pytest fixtures that run Hupan's sandbox; see `plugin`."""
