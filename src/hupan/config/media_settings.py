"""The settings of pictures, a part of the table in settings.py."""

from dataclasses import dataclass

from hupan.config.backup_settings import BUCKET_NAME, BackupSettings
from hupan.config.types import (
    HTTP_URL,
    OPTIONAL_PATH,
    SettingSection,
    integer,
    optional,
    single_line,
)

PICTURES = SettingSection("图片", "Pictures")


@dataclass(frozen=True, slots=True)
class MediaSettings(BackupSettings):
    """Settings of pictures."""

    media_dir: str = PICTURES(
        "",
        OPTIONAL_PATH,
        "存放图片的目录；留空则使用数据目录下的 media",
        "Folder of uploaded pictures; if empty, media in the data directory",
    )
    media_s3_url: str = PICTURES(
        "",
        optional(HTTP_URL),
        "存放图片的 S3 兼容服务的地址，如 https://s3.example.com；留空则存放于 media_dir",
        "URL of an S3-compatible service that stores the pictures, such as https://s3.example.com; "
        "if empty, they are in media_dir",
    )
    media_s3_bucket: str = PICTURES(
        "",
        optional(BUCKET_NAME),
        "存储桶的名称",
        "Name of the bucket",
    )
    media_s3_region: str = PICTURES(
        "us-east-1", single_line(1, 64), "存储桶所在的区域", "Region of the bucket"
    )
    media_s3_access_key: str = PICTURES(
        "", single_line(max_length=256), "访问存储桶的 Access Key", "Access key of the bucket"
    )
    media_s3_secret_key: str = PICTURES(
        "",
        single_line(max_length=256),
        "访问存储桶的 Secret Key",
        "Secret key of the bucket",
        secret=True,
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
