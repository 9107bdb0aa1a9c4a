"""The settings of backups, a part of the table in settings.py."""

from dataclasses import dataclass

from hupan.age import InvalidKeyError, parse_public_key
from hupan.config.sms_settings import CloudSmsSettings
from hupan.config.types import (
    HTTP_URL,
    OPTIONAL_PATH,
    SettingSection,
    SettingType,
    integer,
    matching,
    optional,
    require_text,
    single_line,
)
from hupan.localized import LocalizedText

BACKUPS = SettingSection("备份", "Backups")
_HOURS = integer(0, 8760)
BUCKET_NAME = matching("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "存储桶名称", "the name of a bucket")


def _parse_key(raw: object) -> str:
    try:
        return str(parse_public_key(require_text(raw)))
    except InvalidKeyError as error:
        raise ValueError from error


PUBLIC_KEY = SettingType(
    LocalizedText(
        "age1 开头的公钥（hupan backup new-key 生成）",
        "a public key that begins with age1 (hupan backup new-key makes one)",
    ),
    _parse_key,
)


@dataclass(frozen=True, slots=True)
class BackupSettings(CloudSmsSettings):
    """Settings of backups."""

    backup_hours: int = BACKUPS(
        0, _HOURS, "自动备份的间隔（小时），0 表示不自动备份", "Hours between backups (0 = none)"
    )
    backup_keep: int = BACKUPS(
        14,
        integer(1, 10_000),
        "自动备份后保留的最新备份数，更旧的会删除",
        "Newest backups that are kept; after each scheduled backup, older ones are deleted",
    )
    backup_public_key: str = BACKUPS(
        "",
        optional(PUBLIC_KEY),
        "加密备份的公钥（age1…）；服务器无法解密这样的备份，私钥请另行保管",
        "Public key (age1...) that encrypts backups; the server cannot decrypt them, the private "
        "key is kept elsewhere",
    )
    backup_passphrase: str = BACKUPS(
        "",
        optional(single_line(12, 1024)),
        "加密备份的口令（至少 12 字）；与 backup_public_key 二选一",
        "Passphrase of at least 12 characters that encrypts backups; instead of backup_public_key",
        secret=True,
    )
    backup_dir: str = BACKUPS(
        "",
        OPTIONAL_PATH,
        "存放备份的目录；留空则使用数据目录下的 backups，最好改为另一块磁盘",
        "Folder of backups; if empty, backups in the data directory. Another disk is better",
    )
    backup_s3_url: str = BACKUPS(
        "",
        optional(HTTP_URL),
        "存放备份的 S3 兼容服务的地址；留空则存放于 backup_dir",
        "URL of an S3-compatible service that stores backups; if empty, they are in backup_dir",
    )
    backup_s3_bucket: str = BACKUPS(
        "", optional(BUCKET_NAME), "存储桶的名称", "Name of the bucket of backups"
    )
    backup_s3_region: str = BACKUPS(
        "us-east-1", single_line(1, 64), "存储桶所在的区域", "Region of the bucket of backups"
    )
    backup_s3_access_key: str = BACKUPS(
        "",
        single_line(max_length=256),
        "访问存储桶的 Access Key",
        "Access key of the bucket of backups",
    )
    backup_s3_secret_key: str = BACKUPS(
        "",
        single_line(max_length=256),
        "访问存储桶的 Secret Key",
        "Secret key of the bucket of backups",
        secret=True,
    )
    backup_pictures: bool = BACKUPS.boolean(
        "备份是否包含上传的图片",
        "Whether backups contain the uploaded pictures",
        on=True,
    )
    backup_max_age_hours: int = BACKUPS(
        0,
        _HOURS,
        "最新备份超过多少小时后 /readyz 返回 503，0 表示不影响 /readyz",
        "Maximum age in hours of the newest backup; beyond it /readyz fails (0 = never)",
    )
