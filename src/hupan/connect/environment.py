"""The environment variables that aim a program at the proxy, and make it trust the authority."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hupan.connect.authority import TRUST_STORE_PASSWORD, Authority
from hupan.connect.front import LOOPBACK
from hupan.connect.names import KNOWN_NAMES

NODE_PRELOAD: Final = Path(__file__).with_name("node_preload.cjs")
_DIRECT = ("localhost", LOOPBACK, "::1")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where things listen on loopback.

    Attributes:
        proxy: the proxy for the known names.
        tls: TLS for the known names, without a proxy.
        sandbox: the sandbox, for tests that ask it for codes.
    """

    proxy: int
    tls: int
    sandbox: int


def client_environment(
    environ: Mapping[str, str], ports: Ports, authority: Authority
) -> dict[str, str]:
    """Return the environment of a client.

    Args:
        environ: that of the caller; other proxies are left out, options of Java and Node are kept.
        ports: where to go.
        authority: what to trust.
    """
    proxy, trusted = f"http://{LOOPBACK}:{ports.proxy}", str(authority.certificate)
    kept = {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
    proxies = {
        variant: proxy
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "WSS_PROXY", "WS_PROXY")
        for variant in (name, name.lower())
    }
    return {
        **kept,
        **proxies,
        "NO_PROXY": ",".join(_DIRECT),
        "no_proxy": ",".join(_DIRECT),
        "SSL_CERT_FILE": trusted,  # OpenSSL, Python, httpx, Go
        "REQUESTS_CA_BUNDLE": trusted,
        "CURL_CA_BUNDLE": trusted,
        "NODE_EXTRA_CA_CERTS": trusted,
        "NODE_USE_ENV_PROXY": "1",
        "NODE_OPTIONS": _node_options(environ),
        "HUPAN_NODE_ROUTES": json.dumps(
            {"names": KNOWN_NAMES, "ports": {"80": ports.sandbox, "443": ports.tls}}
        ),
        "JAVA_TOOL_OPTIONS": _java_options(environ, ports.proxy, authority),
        "HUPAN_SANDBOX_URL": f"http://{LOOPBACK}:{ports.sandbox}",
    }


def _node_options(environ: Mapping[str, str]) -> str:
    """Return the options with which Node loads our file first."""
    path = str(NODE_PRELOAD).replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(filter(None, [f'--require "{path}"', environ.get("NODE_OPTIONS", "")]))


def _java_options(environ: Mapping[str, str], proxy_port: int, authority: Authority) -> str:
    properties = {
        "https.proxyHost": LOOPBACK,
        "https.proxyPort": proxy_port,
        "http.proxyHost": LOOPBACK,
        "http.proxyPort": proxy_port,
        "http.nonProxyHosts": "localhost|127.*|[::1]",
        "javax.net.ssl.trustStore": authority.trust_store,
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": TRUST_STORE_PASSWORD,
    }
    options = [environ.get("JAVA_TOOL_OPTIONS", "")]
    options += [f'"-D{name}={value}"' for name, value in properties.items()]
    return " ".join(filter(None, options))
