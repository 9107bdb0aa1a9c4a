"""Settings of what clients get after sign-in (wire.md 8.3); `Settings` inherits them."""

from dataclasses import dataclass
from typing import Literal

from hupan.config.media_settings import MediaSettings
from hupan.config.types import (
    HTTP_URL,
    OPTIONAL_FILE,
    WEBSOCKET_URL,
    SettingSection,
    choice,
    integer,
    optional,
)

CLIENTS = SettingSection("客户端", "Clients")
_MEGABYTES = integer(0, 10_000)


@dataclass(frozen=True, slots=True)
class ClientSettings(MediaSettings):
    """The value of each of these settings."""

    media_url: str = CLIENTS(
        "",
        optional(HTTP_URL),
        "图片等媒体的地址，其后接文件的键；留空则为 public_url 之下的 /media/",
        "URL of pictures and other media, to which their key is appended; if empty, /media/ below "
        "public_url",
    )
    websocket_url: str = CLIENTS(
        "",
        optional(WEBSOCKET_URL),
        "WebSocket 的地址，如 wss://chat.example.com/ws；留空则为 public_url 之下的 /ws",
        "URL of the WebSocket, such as wss://chat.example.com/ws; if empty, /ws below public_url",
    )
    sockets_max: int = CLIENTS(
        50_000,
        integer(0, 1_000_000),
        "每个进程的 WebSocket 连接数上限；还受打开文件数的限制",
        "Maximum WebSocket connections of each process; the limit of open files bounds them too",
    )
    sockets_per_address: int = CLIENTS(
        500,
        integer(0, 1_000_000),
        "每个进程中来自同一 IP 地址的 WebSocket 连接数上限，0 表示不限",
        "Maximum WebSocket connections of one IP address to each process (0 = any number)",
    )
    file_limit_mb: int = CLIENTS(
        0,
        _MEGABYTES,
        "告知客户端的文件大小上限（MB），0 表示不接收",
        "Maximum size of files in MB that is announced to clients (0 = none are accepted)",
    )
    image_limit_mb: int = CLIENTS(
        8,
        _MEGABYTES,
        "告知客户端的图片大小上限（MB），0 表示不接收",
        "Maximum size of pictures in MB that is announced to clients (0 = none are accepted)",
    )
    video_limit_mb: int = CLIENTS(
        0,
        _MEGABYTES,
        "告知客户端的视频大小上限（MB），0 表示不接收",
        "Maximum size of videos in MB that is announced to clients (0 = none are accepted)",
    )
    invite_progress: Literal["server", "account"] = CLIENTS(
        "server",
        choice("server", "account"),
        "邀请进度的数字：server 为整个服务器的注册人数，account 为各账号邀请的人数",
        "Whose numbers the invitation progress shows: server, all accounts registered; account, "
        "those that the caller invited",
    )
    captcha_kinds: Literal["both", "picture", "slide"] = CLIENTS(
        "both",
        choice("both", "picture", "slide"),
        "可用的图形验证码：picture 为数字图片，slide 为滑块，both 为两种都可用",
        "Captchas on offer: picture (digits), slide (a tile to move) or both",
    )
    vip_page_file: str = CLIENTS(
        "",
        OPTIONAL_FILE,
        "会员页面的商品与权益（JSON 文件）；留空则没有",
        "Products and benefits of the VIP page (JSON file); if empty, there are none",
    )
    show_in_search: bool = CLIENTS.boolean(
        "他人能否通过编号或昵称搜到账号（适用于未自行设置的账号）",
        "Whether others find accounts by id or nickname, for accounts without their own setting",
        on=True,
    )
