"""The first configuration of a server: questions, file, systemd unit and proxy configuration.

Nothing is overwritten, except a file that sets only the data directory, as a package installs it.
"""

import grp
import json
import os
import pwd
import re
import stat
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hupan.config.settings import SETTINGS
from hupan.config.types import HOST
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedText
from hupan.opening import OperationRefused

SERVICE_USER: Final = "hupan"
SYSTEM_DATA_DIR: Final = Path("/var/lib/hupan")
SYSTEM_CONFIG: Final = Path("/etc/hupan/hupan.toml")
CHANNELS: Final = ("email", "sms")
FRONTS: Final = ("none", "nginx", "caddy")
_ROOT_USER_ID: Final = 0
_SHIPPED: Final = {"data_dir"}
_PRIVATE_MODE, _GROUP_MODE = 0o600, 0o640
_HEADING: Final = LocalizedText(
    "湖畔的设置，由 hupan setup 写入。全部设置见 hupan config show。",
    "Settings of Hupan, written by hupan setup. hupan config show lists all of them.",
)


class SetupRefused(OperationRefused):
    """The configuration cannot be written."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a setting.

    Attributes:
        name: the setting.
        text: what is asked.
        default: the answer if none is given; None for the setting's own default.
        channel: "email" or "sms" if only some senders of that channel need it.
        senders: these senders.
        needed: whether the sender cannot work without an answer.
    """

    name: str
    text: LocalizedText
    default: str | None = None
    channel: str = ""
    senders: tuple[str, ...] = ()
    needed: bool = False

    @property
    def is_secret(self) -> bool:
        """Whether the answer must not be seen."""
        return SETTINGS[self.name].secret

    def applies_to(self, answers: Mapping[str, object]) -> bool:
        """Return whether the senders that were chosen need an answer."""
        return not self.channel or answers.get(f"{self.channel}_sender") in self.senders


def _ask(
    name: str, zh: str, en: str, default: str | None = None, *, needed: bool = False
) -> Question:
    channel = {"smtp": "email", "sms": "sms"}.get(name.partition("_")[0], "")
    senders = {
        "sms_url": ("http",),
        "sms_success_text": ("http",),
        "sms_app_id": ("tencent",),
    }.get(name, ("smtp",) if channel == "email" else ("aliyun", "tencent"))
    if name.endswith("_sender"):
        channel = ""
    return Question(name, LocalizedText(zh, en), default, channel, senders, needed)


QUESTIONS: Final = (
    _ask("brand", "短信与邮件中的服务名称", "Name of the service in SMS and e-mails"),
    _ask("email_sender", "邮件发送方式（console、smtp）", "How to send e-mails (console, smtp)"),
    _ask("smtp_host", "邮件服务器", "Mail server", "", needed=True),
    _ask("smtp_port", "邮件服务器的端口", "Port of the mail server"),
    _ask("smtp_security", "加密方式（tls、starttls、none）", "Encryption (tls, starttls, none)"),
    _ask("smtp_user", "邮件服务器的用户名", "User name at the mail server"),
    _ask("smtp_password", "邮件服务器的密码或授权码", "Password at the mail server"),
    _ask("smtp_from", "发件人地址", "Sender address", "", needed=True),
    _ask(
        "sms_sender",
        "短信发送方式（console、http、aliyun、tencent）",
        "How to send SMS (console, http, aliyun, tencent)",
    ),
    _ask("sms_url", "短信网关的地址", "URL of the SMS gateway", needed=True),
    _ask(
        "sms_success_text",
        "网关表示成功的响应，留空则以状态码为准",
        "Response of the gateway on success; empty to check only its status",
    ),
    _ask("sms_access_key", "AccessKey ID 或 SecretId", "AccessKey ID or SecretId", needed=True),
    _ask(
        "sms_secret_key",
        "AccessKey Secret 或 SecretKey",
        "AccessKey Secret or SecretKey",
        needed=True,
    ),
    _ask("sms_sign_name", "短信签名，留空则为服务名称", "Signature of SMS, empty for the brand"),
    _ask("sms_app_id", "短信应用的 SdkAppId", "SdkAppId of the SMS application", needed=True),
    _ask("sms_templates", "验证码模板的 ID", "Id of the template of codes", "", needed=True),
)
"""Asked in this order, after the data directory, the host name and the front."""


def parse_answer(name: str, raw: str) -> object:
    """Return the value of a setting as the file has it.

    Raises:
        ValueError: the answer is not valid.
    """
    if name == "sms_templates" and raw and not raw.lstrip().startswith("{"):
        raw = json.dumps({"code": raw.strip()})
    value: object = SETTINGS[name].parse(raw)
    return str(value) if isinstance(value, Path) else value


def drop_incomplete_senders(answers: dict[str, object]) -> list[str]:
    """Reset a channel to the console if a required answer is missing; return these channels."""
    incomplete = {
        question.channel
        for question in QUESTIONS
        if question.needed
        and question.applies_to(answers)
        and not answers.get(question.name)
        and f"{question.name}_file" not in answers
    }
    for channel in incomplete:
        prefix = {"email": "smtp_", "sms": "sms_"}[channel]
        for name in [name for name in answers if name.startswith(prefix)]:
            del answers[name]
        answers[f"{channel}_sender"] = "console"
    return sorted(incomplete)


def network_answers(host_name: str, front: str) -> dict[str, object]:
    """Return the settings of a server with this host name behind this front.

    Raises:
        ValueError: the host name is not valid.
    """
    answers: dict[str, object] = {}
    if host_name:
        HOST.parse(host_name)
        answers["public_url"] = parse_answer("public_url", f"https://{host_name}")
    if front != "none":
        answers["trusted_proxies"] = ["127.0.0.1/32"]
        answers["client_ip_header"] = "x-real-ip"
    return answers


def format_config(answers: Mapping[str, object], *, english: bool) -> str:
    """Return the text of the file, without the settings that are at their default."""
    lines = [f"# {_HEADING.en if english else _HEADING.zh}"]
    for name, value in answers.items():
        if name == "data_dir" or name not in SETTINGS or value != SETTINGS[name].default:
            lines.append(f"{name} = {_format_value(value)}")
    return "\n".join(lines) + "\n"


def _format_value(value: object) -> str:
    if isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {_format_value(value[key])}" for key in value)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_format_value(str(item)) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The user that the server runs as.

    Attributes:
        is_own: whether it is not the user that runs the setup: root sets up for the service.
    """

    name: str
    uid: int
    gid: int
    is_own: bool


def find_service_account() -> ServiceAccount:
    """Return the user of the package if root sets up and it exists, else the current user."""
    uid = os.geteuid()
    if uid == _ROOT_USER_ID:
        try:
            entry = pwd.getpwnam(SERVICE_USER)
            return ServiceAccount(SERVICE_USER, entry.pw_uid, entry.pw_gid, is_own=True)
        except KeyError:
            pass
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a user without an entry, as containers have them
        name = str(uid)
    return ServiceAccount(name, uid, os.getegid(), is_own=False)


def check_is_unused(path: Path) -> None:
    """Refuse a file that has settings, or that cannot be read.

    Raises:
        SetupRefused: there is one.
    """
    try:
        is_empty = path.is_file() and tomllib.loads(path.read_text("utf-8")).keys() <= _SHIPPED
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        is_empty = False
    if not is_empty and os.path.lexists(path):
        raise SetupRefused(
            f"{path} 已存在，未作修改：请编辑该文件，或用 --config 指定另一个文件",
            f"{path} exists and was not changed: edit it, or name another file with --config",
        )


def write_draft(path: Path, text: str, account: ServiceAccount) -> Path:
    """Write the text to a new file in the same folder, readable only by the server.

    Raises:
        SetupRefused: the folder cannot be created or written.
    """
    try:
        _make_folder(path.parent, account, is_data=False)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if account.is_own:
                os.fchown(descriptor, _ROOT_USER_ID, account.gid)
            os.fchmod(descriptor, _GROUP_MODE if account.is_own else _PRIVATE_MODE)
            os.fsync(descriptor)
    except OSError as error:
        raise _not_writable(path.parent, error) from error
    return Path(name)


def publish_draft(draft: Path, path: Path) -> None:
    """Rename the draft, unless a file with settings has the name by now.

    Raises:
        SetupRefused: it has, or the folder cannot be written.
    """
    check_is_unused(path)
    try:
        if path.exists():  # without a setting
            draft.replace(path)
        else:
            path.hardlink_to(draft)
            draft.unlink()
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _not_writable(path, error) from error


def make_data_folder(folder: Path, account: ServiceAccount) -> None:
    """Create the data directory for the server's user; an existing one stays as it is.

    Raises:
        SetupRefused: it cannot be created, or that user could not write to it.
    """
    try:
        _make_folder(folder, account, is_data=True)
    except OSError as error:
        raise _not_writable(folder, error) from error


def _make_folder(folder: Path, account: ServiceAccount, *, is_data: bool) -> None:
    if folder.is_dir():
        if is_data:
            _check_is_writable(folder, account)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    if not account.is_own:
        return
    if is_data:
        os.chown(folder, account.uid, account.gid)
    else:
        os.chown(folder, _ROOT_USER_ID, account.gid)
        folder.chmod(0o750)


def _check_is_writable(folder: Path, account: ServiceAccount) -> None:
    """Refuse a folder that root can write to but the server's user cannot."""
    status = folder.stat()
    is_writable = (
        status.st_uid == account.uid
        or (status.st_gid == account.gid and status.st_mode & stat.S_IWGRP)
        or status.st_mode & stat.S_IWOTH
    )
    if account.is_own and not is_writable:
        raise SetupRefused(
            f"用户 {account.name} 无法写入 {folder}：请执行 chown -R {account.name}: {folder}，"
            "或换一个目录",
            f"the user {account.name} cannot write {folder}: run chown -R {account.name}: "
            f"{folder}, or choose another folder",
        )


def _not_writable(path: Path, error: OSError) -> SetupRefused:
    reason = localize_reason(error)
    return SetupRefused(
        f"无法写入 {path}（{reason.zh}）：请换一个目录，或以能写入它的用户运行",
        f"{path} cannot be written ({reason.en}): choose another folder, or run this as a user "
        "that can write there",
    )


def deploy_file(name: str) -> str:
    """Return a file of deploy/: of the installed package, else of the checkout."""
    checkout, installed = Path(__file__).parents[3], Path(sys.prefix) / "share/hupan"
    for folder in (checkout / "deploy", installed / "deploy"):
        if (folder / name).is_file():
            return (folder / name).read_text("utf-8")
    raise SetupRefused(
        f"安装不完整，缺少 deploy/{name}，请重新安装",
        f"deploy/{name} is missing from the installation: install it again",
    )


_HOME_FOLDERS: Final = (Path("/home"), Path("/root"), Path("/run/user"))


def make_unit(program: Path, config: Path, data_dir: Path, account: ServiceAccount) -> str:
    """Return the systemd unit for this program, this file and this data directory."""
    try:
        group = grp.getgrgid(account.gid).gr_name
    except KeyError:
        group = str(account.gid)
    is_in_home = any(
        path.is_relative_to(home) for path in (program, config, data_dir) for home in _HOME_FOLDERS
    )
    values = {
        "User": account.name,
        "Group": group,
        "ExecStart": " ".join(
            _quote_for_systemd(str(word))
            for word in (program, "serve", "--config", config, "--data-dir", data_dir)
        ),
        "WorkingDirectory": _quote_for_systemd(str(data_dir), quotes=False),
        "ProtectHome": "no" if is_in_home else "yes",
    }
    directive = re.compile(rf"^({'|'.join(values)})=.*$", re.MULTILINE)
    unit = directive.sub(
        lambda found: f"{found[1]}={values[found[1]]}", deploy_file("systemd/hupan.service")
    )
    if data_dir != SYSTEM_DATA_DIR:
        unit = re.sub(r"^StateDirectory(?:Mode)?=.*\n", "", unit, flags=re.MULTILINE)
        place = f"ReadWritePaths={_quote_for_systemd(str(data_dir))}\nWorkingDirectory="
        unit = unit.replace("WorkingDirectory=", place)
    return unit


def _quote_for_systemd(word: str, *, quotes: bool = True) -> str:
    word = word.replace("%", "%%")
    if not quotes or re.fullmatch(r"[A-Za-z0-9/._%+:@=-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


def make_front(front: str, host_name: str) -> str:
    """Return the configuration of nginx or Caddy; without a host name, with those of clients."""
    if front == "nginx":
        text = deploy_file("nginx/hupan.conf")
        if name := host_name.partition(":")[0]:  # without its port
            text = re.sub(r"server_name [^;]*;", f"server_name {name};", text)
        return text
    text = deploy_file("caddy/Caddyfile")
    if host_name:
        # Caddy has a certificate issued for a name of the operator's.
        text = re.sub(r"^\S+(?:, \S+)+ \{$", f"{host_name} {{", text, flags=re.MULTILINE)
        text = re.sub(r"^\t#[^\n]*authority[^\n]*\n\ttls [^\n]*\n\n?", "", text, flags=re.MULTILINE)
    return text
