"""The client with one method for each line of the contract's table, synchronous.

Made from its asynchronous twin by `make clients`: change that one.
"""

import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self, TypeVar
from urllib.parse import quote

import httpx

from hupan_client import calls, messages
from hupan_client._sync.http import Http
from hupan_client._sync.socket import Socket
from hupan_client.calls import Call
from hupan_client.core import Core, ServerUrl

Result = TypeVar("Result")


class Client:
    """A client of one server, with the token of one session.

    Logging in keeps the token, and logging out drops it. No `repr` and no log contains a token.
    A GET is sent once more when its connection breaks, a POST never.

    Args:
        url: where the server is, such as `http://127.0.0.1:8480`.
        token: the token of a session; "" until a login.
        language: the language of refusals, `zh-CN` or `en`; None leaves it to the server.
        timeout: seconds for connecting, and between bytes.
        transport: what sends requests, in place of the network.
        connections: those of another, which stay open when this one is closed.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        language: str | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        connections: Http | None = None,
    ) -> None:
        server = ServerUrl(url)
        self._core = Core(server, token, language)
        self._http = connections or Http(server, timeout, transport)
        self._owns_connections = connections is None

    def __repr__(self) -> str:
        state = "with a token" if self._core.token else "without a token"
        return f"<{type(self).__name__} of {self._core.url.text}, {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless they are another's."""
        if self._owns_connections:
            self._http.close()

    @property
    def token(self) -> str:
        """The token of the session, "" for none."""
        return self._core.token

    @token.setter
    def token(self, token: str) -> None:
        self._core.token = token

    def socket(
        self, *, device_id: str = "", platform: str = "", heartbeat_seconds: float = 20.0
    ) -> Socket:
        """Return the socket of this session; it opens when its block begins."""
        return Socket(
            self._core.url.text,
            self._core.token,
            device_id=device_id,
            platform=platform,
            heartbeat_seconds=heartbeat_seconds,
        )

    def _send(self, call: Call[Result]) -> Result:
        answer = self._http.exchange(self._core.build(call))
        return self._core.read(call, answer)

    def create_captcha(self) -> messages.Captcha:
        """Fetch a captcha picture; `send_sms_code` and `send_email_code` take its answer."""
        return self._send(calls.create_captcha())

    def create_slide_captcha(self) -> messages.SlideCaptcha:
        """Fetch a slide captcha; its answer is the position `x` in pixels."""
        return self._send(calls.create_slide_captcha())

    def send_sms_code(
        self, mobile: str, captcha_id: str, answer: str | None = None, *, x: float | None = None
    ) -> None:
        """Send a code by SMS for an answer to a captcha: the digits, or `x` of a slide captcha."""
        self._send(calls.send_sms_code(mobile, captcha_id, answer, x=x))

    def send_email_code(
        self,
        email: str,
        captcha_id: str,
        answer: str | None = None,
        *,
        x: float | None = None,
        typ: Literal["forget_password", ""] = "",
    ) -> None:
        """Send a code by e-mail; with typ `forget_password` it only sets a password."""
        self._send(calls.send_email_code(email, captcha_id, answer, x=x, typ=typ))

    def code_login(
        self, mobile: str, code: str, *, device_id: str | None = None, platform: str | None = None
    ) -> messages.LoginToken:
        """Log in with a code from an SMS; an unused number becomes a new account."""
        return self._send(calls.code_login(mobile, code, device_id=device_id, platform=platform))

    def email_login(
        self,
        email: str,
        password: str,
        *,
        device_id: str | None = None,
        platform: str | None = None,
    ) -> messages.LoginToken:
        """Log in with an e-mail address and a password."""
        return self._send(
            calls.email_login(email, password, device_id=device_id, platform=platform)
        )

    def logout(self) -> None:
        """End the session of the token."""
        self._send(calls.logout())

    def get_own_info(self) -> messages.OwnInfo:
        """Return the caller's own account."""
        return self._send(calls.get_own_info())

    def get_user(self, user_id: str) -> messages.User:
        """Return the public account of a user; UnknownUser and Banned are refusals."""
        return self._send(calls.get_user(user_id))

    def edit_nickname(self, name: str) -> None:
        """Change the nickname: 1 to 32 visible characters."""
        self._send(calls.edit_nickname(name))

    def edit_avatar(self, url: str) -> None:
        """Change the avatar to the picture at an http or https URL."""
        self._send(calls.edit_avatar(url))

    def save_personal_data(
        self,
        *,
        introduction: str | None = None,
        gender: int | None = None,
        birthday: int | None = None,
        province: str | None = None,
        city: str | None = None,
        district: str | None = None,
        location_code: str | None = None,
    ) -> None:
        """Update personal data; what is None stays as it is, "" and 0 clear a value."""
        self._send(
            calls.save_personal_data(
                introduction=introduction,
                gender=gender,
                birthday=birthday,
                province=province,
                city=city,
                district=district,
                location_code=location_code,
            )
        )

    def get_personal_data(self) -> messages.PersonalData:
        """Return all personal data of the caller."""
        return self._send(calls.get_personal_data())

    def save_remark(
        self,
        friend_id: str,
        *,
        name: str = "",
        phone: str = "",
        others: Mapping[str, str] | None = None,
    ) -> None:
        """Save a remark about another account; an empty one deletes it."""
        self._send(calls.save_remark(friend_id, name=name, phone=phone, others=others))

    def list_own_medals(self) -> tuple[messages.Medal, ...]:
        """Return the caller's medals."""
        return self._send(calls.list_own_medals())

    def web_get_homepage(self, user_id: str) -> messages.HomepageUser:
        """Return a public profile; that of an unknown user is empty."""
        return self._send(calls.web_get_homepage(user_id))

    def web_get_own_info(self) -> messages.WebUser:
        """Return the caller's own account as the web surface has it."""
        return self._send(calls.web_get_own_info())

    def bind_phone(self, phone: str, code: str) -> None:
        """Bind a first phone number with the code that was sent to it."""
        self._send(calls.bind_phone(phone, code))

    def bind_email(self, email: str, code: str) -> None:
        """Bind a first e-mail address with the code that was sent to it."""
        self._send(calls.bind_email(email, code))

    def change_phone(self, phone: str, code: str) -> None:
        """Prove the phone number that is bound, or change it to a new one."""
        self._send(calls.change_phone(phone, code))

    def change_email(self, email: str, code: str) -> None:
        """Prove the e-mail address that is bound, or change it to a new one."""
        self._send(calls.change_email(email, code))

    def reset_password(self, email: str, code: str, password: str) -> None:
        """Set the password of an e-mail address, and end all its sessions."""
        self._send(calls.reset_password(email, code, password))

    def cancel_account(
        self, code: str, *, phone: str | None = None, email: str | None = None
    ) -> None:
        """Cancel the account, with a code that was sent to the phone or the email."""
        self._send(calls.cancel_account(code, phone=phone, email=email))

    def list_coin_record(self, page: int = 1, size: int = 20) -> messages.CoinRecordPage:
        """Return one page of changes of coins, newest first."""
        return self._send(calls.list_coin_record(page, size))

    def web_list_coin_record(self, page: int = 1, size: int = 20) -> messages.CoinRecordPage:
        """Return one page of changes of coins from the web surface."""
        return self._send(calls.web_list_coin_record(page, size))

    def get_invite_progress(self) -> messages.InviteProgress:
        """Return how many accounts registered, and the targets."""
        return self._send(calls.get_invite_progress())

    def change_invitation_code(self, code: str) -> None:
        """Choose the caller's own invitation code, once."""
        self._send(calls.change_invitation_code(code))

    def list_categories(self, app_channel: str = "default") -> tuple[str, ...]:
        """Return the categories of discovery."""
        return self._send(calls.list_categories(app_channel))

    def list_groups(
        self, page: int = 1, size: int = 20, *, category: str = "", keyword: str = ""
    ) -> tuple[messages.ListedGroup, ...]:
        """Return one page of groups, by headcount."""
        return self._send(calls.list_groups(page, size, category=category, keyword=keyword))

    def list_bots(self) -> tuple[messages.ListedBot, ...]:
        """Return the bots with the most users."""
        return self._send(calls.list_bots())

    def get_adverts(self) -> messages.AdvertConfig:
        """Return whether to show advertisements."""
        return self._send(calls.get_adverts())

    def web_get_group(self, group_id: str) -> messages.PublicGroup:
        """Return what is public of a group; an unknown one is empty."""
        return self._send(calls.web_get_group(group_id))

    def web_get_bot(self, bot_id: str) -> messages.PublicBot:
        """Return what is public of a bot; an unknown one is empty."""
        return self._send(calls.web_get_bot(bot_id))

    def home_search(self, word: str) -> tuple[messages.SearchHits, ...]:
        """Search users, groups and bots."""
        return self._send(calls.home_search(word))

    def list_devices(self) -> tuple[messages.Device, ...]:
        """Return the caller's devices."""
        return self._send(calls.list_devices())

    def logout_device(self, device_id: str) -> None:
        """End the sessions of one of the caller's devices."""
        self._send(calls.logout_device(device_id))

    def get_ignored_modules(self, device_id: str) -> messages.IgnoredModules:
        """Return the modules that a device hides; needs VIP."""
        return self._send(calls.get_ignored_modules(device_id))

    def set_ignored_modules(self, device_id: str, ignore: str) -> None:
        """Set the modules that a device hides, such as `,30,20,10`; needs VIP."""
        self._send(calls.set_ignored_modules(device_id, ignore))

    def get_notification(
        self, device_id: str, registration_id: str
    ) -> messages.NotificationSetting:
        """Return the notification setting of a device."""
        return self._send(calls.get_notification(device_id, registration_id))

    def set_notification(
        self,
        device_id: str,
        registration_id: str,
        *,
        is_open: bool,
        type: int = 0,  # noqa: A002 - the name on the wire
    ) -> None:
        """Set the notification setting of a device."""
        self._send(calls.set_notification(device_id, registration_id, is_open=is_open, type=type))

    def list_conversations(self, md5: str = "") -> messages.Conversations:
        """Return the list of conversations."""
        return self._send(calls.list_conversations(md5))

    def list_contacts(self, md5: str = "") -> messages.Contacts:
        """Return the address book."""
        return self._send(calls.list_contacts(md5))

    def list_friend_requests(self) -> messages.FriendRequests:
        """Return the requests to become friends."""
        return self._send(calls.list_friend_requests())

    def list_sticky(self) -> tuple[object, ...]:
        """Return the pinned conversations."""
        return self._send(calls.list_sticky())

    def dismiss_notification(self, chat_id: str = "") -> None:
        """Mark a conversation as read; a message server may do so."""
        self._send(calls.dismiss_notification(chat_id))

    def remove_conversation(self, chat_id: str = "") -> None:
        """Remove a conversation; a message server may do so."""
        self._send(calls.remove_conversation(chat_id))

    def sort_conversations(self, chat_id: str = "") -> None:
        """Move a conversation; a message server may do so."""
        self._send(calls.sort_conversations(chat_id))

    def get_beta_info(self) -> messages.BetaInfo:
        """Return the caller's part in a beta test."""
        return self._send(calls.get_beta_info())

    def get_distribution(self) -> messages.Distribution:
        """Return where the server, its media and its socket are."""
        return self._send(calls.get_distribution())

    def get_upload_sizes(self) -> messages.UploadSizes:
        """Return the largest uploads that the server takes."""
        return self._send(calls.get_upload_sizes())

    def get_gray_status(self) -> int:
        """Return whether clients are shown in grey."""
        return self._send(calls.get_gray_status())

    def get_upload_token(self) -> messages.UploadToken:
        """Return what permits uploads of pictures."""
        return self._send(calls.get_upload_token())

    def upload_picture(self, picture: bytes, key: str | None = None) -> str:
        """Upload a PNG, JPEG or WebP and return its address, which `edit_avatar` takes.

        Args:
            picture: the bytes of the file.
            key: its name at the server in ASCII, such as `avatars/me.png`; None for a random one.
        """
        upload = self.get_upload_token()
        name = secrets.token_hex(16) if key is None else key
        answer = self._http.exchange(self._core.build_upload(upload, name, picture))
        uploaded = self._core.read_upload(answer)
        return (self.get_distribution()).image_url + quote(uploaded.key)

    def list_products(self, page: int = 1, size: int = 20) -> messages.ProductPage:
        """Return one page of the products of the coin shop."""
        return self._send(calls.list_products(page, size))

    def get_product(self, product_id: int) -> messages.Product:
        """Return a product of the coin shop."""
        return self._send(calls.get_product(product_id))

    def create_order(self, product_id: int, price: int) -> int:
        """Buy one piece of a product and return the order's id; it is not sent twice."""
        return self._send(calls.create_order(product_id, price))

    def get_task_info(self) -> messages.TaskInfo:
        """Return what the caller did of what earns coins."""
        return self._send(calls.get_task_info())

    def list_vip_products(self) -> messages.VipProducts:
        """Return VIP for sale outside the coin shop."""
        return self._send(calls.list_vip_products())

    def list_vip_benefits(self) -> tuple[messages.VipBenefit, ...]:
        """Return what VIP brings."""
        return self._send(calls.list_vip_benefits())
