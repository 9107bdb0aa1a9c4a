"""Hupan (湖畔): a self-hosted account server for Yunhu-compatible chat."""

__version__ = "0.2.0"
