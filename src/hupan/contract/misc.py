"""Messages of what a client reads about the server (wire.md 8.3: misc/*)."""

from msgspec import Struct

from hupan.contract.endpoints import PUBLIC, SESSION, AddressedHost, IgnoredBody, Note, app


class Distribution(Struct, rename="camel"):
    """Where the server and its media are; a URL of media ends where a key begins.

    Attributes:
        share_url: where links to the server begin.
        websocket_url: the URL of the socket.
    """

    audio_url: str
    file_url: str
    image_url: str
    server_url: str
    share_url: str
    video_url: str
    websocket_url: str


class UploadSizes(Struct, rename="camel"):
    """The largest uploads in megabytes, with and without VIP; 0 if none are accepted."""

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


get_distribution = app.get(
    "/v1/misc/configure-distribution",
    SESSION,
    AddressedHost,
    Distribution,
    source="C",
    notes=(
        Note(
            "D",
            "From `public_url`, `media_url` and `websocket_url`; without `public_url` from the "
            "host that the client addressed, with `https` unless that is an IP address or a name "
            "without a dot.",
            "由 `public_url`、`media_url` 与 `websocket_url` 决定；未设置 `public_url` 时取客户端"
            "所访问的主机，IP 地址与不含点的名称用 `http`，其余用 `https`。",
        ),
    ),
)
get_upload_sizes = app.get(
    "/v1/misc/setting",
    PUBLIC,
    IgnoredBody,
    UploadSizes,
    source="C",
    notes=(
        Note(
            "C",
            "The key `fileeSizeLimitVip` is misspelt on the wire.",
            "键名 `fileeSizeLimitVip` 就是这样拼写的。",
        ),
        Note(
            "D",
            "From settings, the same with and without VIP; 0 for files and videos by default, "
            "which Hupan does not accept.",
            "由设置决定，会员与非会员相同；文件与视频默认为 0，湖畔不接收它们。",
        ),
    ),
)
get_gray_status = app.get("/v1/misc/gray-status", PUBLIC, IgnoredBody, GrayStatus, source="C")
