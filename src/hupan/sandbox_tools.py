"""Builds the tools of `hupan sandbox`, which `hupan serve` never imports: faults and clock."""

from starlette.routing import Route

from hupan.api.codecs import Scope, read_token
from hupan.application import SandboxParts, SandboxTools
from hupan.domain.pending import PendingEvents
from hupan.environment import make_session_policy
from hupan.sandbox.clock import SandboxClock
from hupan.sandbox.faults import ASGIApp, FaultInjector, Faults
from hupan.sandbox.routes import handle_errors


def make_sandbox_tools(parts: SandboxParts) -> SandboxTools:
    """Return the tools of one sandbox."""
    infrastructure = parts.server.infrastructure
    faults = Faults(parts.make_random_source)
    parts.routes.on_reset.append(lambda: faults.replace(()))

    async def fire_due() -> None:
        await parts.server.housekeeping.purge()
        await infrastructure.outbox_worker.drain()
        await infrastructure.presence.recheck_all()

    policy = make_session_policy(infrastructure.settings)
    clock = SandboxClock(
        parts.clock,
        PendingEvents(infrastructure.database, parts.clock, policy),
        infrastructure.outbox_worker.drain,
        fire_due,
    )

    def find_account(scope: Scope) -> str | None:
        headers = scope["headers"]
        account = infrastructure.sessions.account_of(read_token(headers, dict(headers)))
        return None if account is None else str(account)

    def wrap(app: ASGIApp) -> ASGIApp:
        return FaultInjector(app, faults, find_account, parts.server.dispatcher.refuse)

    return SandboxTools(
        [
            Route("/sandbox/clock", handle_errors(clock.get), methods=["GET"]),
            Route("/sandbox/clock", handle_errors(clock.post), methods=["POST"]),
            Route("/sandbox/faults", handle_errors(faults.get), methods=["GET"]),
            Route("/sandbox/faults", handle_errors(faults.put), methods=["PUT"]),
        ],
        wrap,
    )
