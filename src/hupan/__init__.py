"""Hupan (湖畔): the account server for Yunhu-compatible chat that you run yourself."""

__version__ = "0.2.0"
