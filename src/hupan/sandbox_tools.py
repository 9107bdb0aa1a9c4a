"""Builds the tools of `hupan sandbox`: faults, clock and snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute, Route

from hupan.api.codecs import Scope, read_token
from hupan.application import Server
from hupan.domain.pending import PendingEvents
from hupan.environment import make_session_policy
from hupan.sandbox.clock import SandboxClock
from hupan.sandbox.faults import FaultInjector, Faults
from hupan.sandbox.routes import SandboxRoutes, handle_errors


@dataclass(frozen=True, slots=True)
class SandboxTools:
    """The tools, which routes and pages share."""

    faults: Faults
    clock: SandboxClock
    routes: Sequence[BaseRoute]


def make_sandbox_tools(
    server: Server, routes: SandboxRoutes, injector: FaultInjector
) -> SandboxTools:
    """Connect the tools with an open server."""
    infrastructure, faults = server.infrastructure, injector.faults

    def find_account(scope: Scope) -> str | None:
        headers = scope["headers"]
        account = infrastructure.sessions.account_of(read_token(headers, dict(headers)))
        return None if account is None else str(account)

    injector.attach(find_account, server.dispatcher.refuse)
    routes.on_reset.append(lambda: faults.replace(()))
    clock = _make_clock(server, routes)
    listed = [
        Route("/sandbox/clock", handle_errors(clock.get), methods=["GET"]),
        Route("/sandbox/clock", handle_errors(clock.post), methods=["POST"]),
        Route("/sandbox/faults", handle_errors(faults.get), methods=["GET"]),
        Route("/sandbox/faults", handle_errors(faults.put), methods=["PUT"]),
    ]
    return SandboxTools(faults, clock, listed)


def _make_clock(server: Server, routes: SandboxRoutes) -> SandboxClock:
    infrastructure = server.infrastructure

    async def fire_due() -> None:
        await server.housekeeping.purge()
        await infrastructure.outbox_worker.drain()
        await infrastructure.presence.recheck_all()

    policy = make_session_policy(infrastructure.settings)
    return SandboxClock(
        routes.clock,
        PendingEvents(infrastructure.database, routes.clock, policy),
        infrastructure.outbox_worker.drain,
        fire_due,
    )
