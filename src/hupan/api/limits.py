"""The limiters of the endpoints, by what their lines declare (security E4, E5)."""

from collections.abc import Mapping
from typing import get_args

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import RequestLimit
from hupan.contract.fields import secret_fields
from hupan.ratelimit.memory import (
    ORIGIN_KEYS,
    AttackDetector,
    AttemptLimiter,
    MemoryLimits,
    RateLimitContext,
    RequestLimiter,
    WindowCounter,
)

INTROSPECT_PATH = "/oauth/introspect"
"""Accepts the secrets of servers (RFC 7662)."""


class RateLimits:
    """The limiters of all endpoints of one process.

    Args:
        limit_context: what all limiters share.
        limits: the limits and their counters; without any, every limiter admits all requests.
        detector: is notified of attempts and codes.

    Attributes:
        request_limiters: the limiters by the `limit` of an endpoint.
        attempt_limiters: the limiters by the path of an endpoint with secrets.
    """

    def __init__(
        self, limit_context: RateLimitContext, limits: MemoryLimits, detector: AttackDetector
    ) -> None:
        self.detector = detector
        self.request_limiters: Mapping[RequestLimit, RequestLimiter] = {
            event: RequestLimiter(
                limit_context,
                [
                    (ORIGIN_KEYS[kind], counter)
                    for limited, kind, counter in limits.by_origin
                    if limited == event
                ],
                limits.by_account.get(event, WindowCounter()),
            )
            for event in get_args(RequestLimit)
        }
        self.attempt_limiters = {
            endpoint.path: AttemptLimiter(
                limit_context,
                limits,
                detector,
                secret_fields(endpoint.request).values(),
                sends=endpoint.limit == "sent_codes",
            )
            for endpoint in ENDPOINTS
            if endpoint.secrets
        }
        self.attempt_limiters[INTROSPECT_PATH] = AttemptLimiter(
            limit_context, limits, detector, (), sends=False
        )
