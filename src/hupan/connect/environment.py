"""The environment variables that aim a program at the proxy, and make it trust the authority."""

from collections.abc import Mapping

from hupan.connect.authority import TRUST_STORE_PASSWORD, Authority
from hupan.connect.front import LOOPBACK

_DIRECT = ("localhost", LOOPBACK, "::1")


def client_environment(
    environ: Mapping[str, str], proxy_port: int, sandbox_port: int, authority: Authority
) -> dict[str, str]:
    """Return the environment of a client.

    Args:
        environ: that of the caller; other proxies and Java's own options are kept apart.
        proxy_port: where the proxy listens.
        sandbox_port: where the sandbox listens, for tests that ask it for codes.
        authority: what to trust.
    """
    proxy, trusted = f"http://{LOOPBACK}:{proxy_port}", str(authority.certificate)
    kept = {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
    proxies = {
        variant: proxy
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
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
        "JAVA_TOOL_OPTIONS": _java_options(environ, proxy_port, authority),
        "HUPAN_SANDBOX_URL": f"http://{LOOPBACK}:{sandbox_port}",
    }


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
