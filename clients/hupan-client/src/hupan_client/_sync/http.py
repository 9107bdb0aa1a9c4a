"""Sends requests and receives answers, synchronous.

Made from its asynchronous twin by `make clients`: change that one.
"""

import httpx

from hupan_client.core import (
    KEEP_ALIVE_SECONDS,
    MAX_ANSWER_BYTES,
    AnswerTooLarge,
    ServerUrl,
    WireAnswer,
    WireRequest,
)
from hupan_client.errors import ConnectionFailed


class Http:
    """Connections to one server. A GET is sent once more when its connection breaks, a POST never.

    Args:
        url: where the server is.
        timeout: seconds for connecting, and between bytes.
        transport: what sends requests, in place of the network.
        keeps_connections: False for a new connection for each request, so that nothing is
            left to close.
        max_answer_bytes: more is not read.
    """

    def __init__(
        self,
        url: ServerUrl,
        timeout: float,
        transport: httpx.BaseTransport | None = None,
        *,
        keeps_connections: bool = True,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.url = url
        self._max_answer_bytes = max_answer_bytes
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout,
            # Reading the roots of trust takes time, and plain HTTP does not need them.
            verify=url.is_tls,
            trust_env=not url.is_loopback,
            headers={"user-agent": "hupan-client"},
            limits=httpx.Limits(
                max_keepalive_connections=None if keeps_connections else 0,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            ),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def exchange(self, request: WireRequest, within: float | None = None) -> WireAnswer:
        """Send a request and return its answer; `within` seconds, if it is given.

        Raises:
            ConnectionFailed: none came.
        """
        try:
            return self._exchange(request, within)
        except ConnectionFailed as failure:
            if failure.is_timeout or request.method != "GET":
                raise
            return self._exchange(request, within)

    def _exchange(self, request: WireRequest, within: float | None) -> WireAnswer:
        body = bytearray()
        try:
            with self._http.stream(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body,
                timeout=httpx.USE_CLIENT_DEFAULT if within is None else within,
            ) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > self._max_answer_bytes:
                        raise AnswerTooLarge("the answer is too large", response.status_code)
        except httpx.HTTPError as error:
            # Without its cause, whose request has the token in its headers.
            is_timeout = isinstance(error, httpx.TimeoutException)
            text = f"no answer from {self.url.text}: {type(error).__name__} {error}".rstrip()
            raise ConnectionFailed(text, is_timeout=is_timeout) from None
        return WireAnswer.of(response.status_code, response.headers, bytes(body))
