"""Handlers of what a client reads about the server (wire.md 8.3)."""

from hupan.api.context import RequestContext
from hupan.api.routing import Services
from hupan.contract.endpoints import AddressedHost, IgnoredBody
from hupan.contract.messages.misc import Distribution, GrayStatus, UploadSizes
from hupan.model import Caller


async def get_distribution(
    services: Services, _caller: Caller, request: AddressedHost
) -> Distribution:
    """Return where the server, its media and its socket are."""
    urls = services.client_info.urls.addressed_as(request.host)
    return Distribution(
        audio_url=urls.media,
        file_url=urls.media,
        image_url=urls.media,
        server_url=urls.server,
        share_url=urls.server,
        video_url=urls.media,
        websocket_url=urls.websocket,
    )


async def get_upload_sizes(
    services: Services, _context: RequestContext, _request: IgnoredBody
) -> UploadSizes:
    """Return the largest uploads that are accepted."""
    limits = services.client_info.uploads
    return UploadSizes(
        file_size_limit_normal=limits.file_megabytes,
        filee_size_limit_vip=limits.file_megabytes,
        image_size_limit_normal=limits.image_megabytes,
        image_size_limit_vip=limits.image_megabytes,
        video_size_limit_normal=limits.video_megabytes,
        video_size_limit_vip=limits.video_megabytes,
    )


async def get_gray_status(
    _services: Services, _context: RequestContext, _request: IgnoredBody
) -> GrayStatus:
    """Return that clients are shown in colour."""
    return GrayStatus()
