"""Messages of what a client reads about the server (wire.md 8.3: misc/*)."""

from msgspec import Struct


class Distribution(Struct, rename="camel"):
    """Where the server and its media are; a URL of media ends where a key begins.

    Attributes:
        share_url: where links to the server begin.
        websocket_url: of the socket.
    """

    audio_url: str
    file_url: str
    image_url: str
    server_url: str
    share_url: str
    video_url: str
    websocket_url: str


class UploadSizes(Struct, rename="camel"):
    """The largest uploads in megabytes, with and without VIP; 0 where none are accepted."""

    file_size_limit_normal: int
    filee_size_limit_vip: int  # the misspelt key is the wire's
    image_size_limit_normal: int
    image_size_limit_vip: int
    video_size_limit_normal: int
    video_size_limit_vip: int


class GrayStatus(Struct):
    """Whether clients are shown in grey.

    Attributes:
        status: always 0.
    """

    status: int = 0
