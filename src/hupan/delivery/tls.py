"""Who is at the other end: certificates and host names are always checked (security L9)."""

import ssl
from ipaddress import ip_address

from hupan.delivery.options import BadOption


def verified_context(ca_file: str) -> ssl.SSLContext:
    """Make a TLS 1.2+ context that checks certificate and host name.

    Args:
        ca_file: PEM file of the only authorities to trust; empty for the system's.

    Raises:
        ValueError: The file cannot be read or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise BadOption(
            "ca_file",
            "可读的 PEM 证书文件",
            f"{ca_file!r} cannot be read as PEM certificates",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_loopback(host: str) -> bool:
    """Tell whether `host` never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
