"""The settings of pictures, a part of the table in settings.py."""

from dataclasses import dataclass

from hupan.config.types import OPTIONAL_PATH, SettingSection, integer

PICTURES = SettingSection("图片", "Pictures")


@dataclass(frozen=True)
class MediaSettings:
    """Settings of pictures."""

    media_dir: str = PICTURES(
        "",
        OPTIONAL_PATH,
        "存放图片的目录；留空则使用数据目录下的 media",
        "Folder of uploaded pictures; if empty, media in the data directory",
    )
    pictures_per_account: int = PICTURES(
        20,
        integer(1, 1000),
        "每个账号保留的图片数，超出时删除最旧的（正在使用的头像除外）",
        "Pictures kept per account; one more deletes the oldest that is not its avatar",
    )
    uploads_per_day: int = PICTURES(
        20,
        integer(0, 10_000_000),
        "每个账号每天可上传的图片数，0 表示不限",
        "Maximum pictures uploaded per account per day (0 = unlimited)",
    )
