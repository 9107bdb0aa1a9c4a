"""One suite for the synchronous and the asynchronous client, against a real sandbox."""

from decimal import Decimal

import httpx
import pytest
from hupan_client import (
    AsyncClient,
    AsyncSandbox,
    ConnectionFailed,
    Fault,
    Refusal,
    Rule,
    SandboxRefusal,
    messages,
)
from hupan_client.errors import (
    AccountCancelled,
    AccountRefusal,
    Banned,
    Busy,
    InvalidField,
    NotSignedIn,
    PictureRefusal,
    UnknownUser,
    VipOnly,
    WeakPassword,
    WrongCaptcha,
    WrongCode,
    WrongEmailOrPassword,
)

from tests.support.both_clients import KINDS, Kind, make_client, make_sandbox
from tests.support.client import WireClient
from tests.support.pictures import decode, picture
from tests.support.servers import Server

PASSWORD = "a lake at seven in the morning"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return which of the two clients a test uses."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def driver(kind: Kind, sandbox: Server) -> AsyncSandbox:
    """Return the driver of the sandbox that all tests share."""
    return make_sandbox(kind, sandbox.url)


async def email_code(driver: AsyncSandbox, client: AsyncClient, email: str) -> str:
    """Request a code by e-mail and return it."""
    captcha = await client.create_captcha()
    answer = await driver.outbox.code(captcha.id)
    await client.send_email_code(email, captcha.id, answer)
    return await driver.outbox.code(email)


async def sms_code(driver: AsyncSandbox, client: AsyncClient, phone: str) -> str:
    """Request a code by SMS and return it."""
    captcha = await client.create_captcha()
    await client.send_sms_code(phone, captcha.id, await driver.outbox.code(captcha.id))
    return await driver.outbox.code(phone)


async def test_signing_in(driver: AsyncSandbox, wire: WireClient) -> None:
    """Captcha, SMS, code, own info; signing out drops the token and ends the session."""
    async with driver:
        phone = wire.fresh_phone()
        client = await driver.sign_in(phone, device_id="laptop")
        info = await client.get_own_info()
        assert (info.phone, info.is_vip, info.vip_status) == (phone, 0, messages.VipStatus.NONE)
        user = await client.get_user(info.id)
        assert (user.id, user.name, user.remark_info) == (info.id, info.name, messages.RemarkInfo())
        (device,) = await client.list_devices()
        assert (device.device_id, device.user_id) == ("laptop", info.id)
        token = client.token
        await client.logout()
        assert client.token == ""
        client.token = token
        with pytest.raises(NotSignedIn) as refusal:
            await client.get_own_info()
        assert (refusal.value.code, refusal.value.en) == (-101, "Not signed in")
        assert (refusal.value.result, refusal.value.request_id > 0) == ("unauthenticated", True)


async def test_an_account_with_everything(driver: AsyncSandbox, wire: WireClient) -> None:
    """The client reads all that the sandbox grants an account."""
    async with driver:
        phone, email = wire.fresh_phone(), wire.fresh_email()
        account = await driver.accounts.create(
            phone=phone,
            email=email,
            nickname="小湖",
            coins=12.34,
            vip_days=3,
            medals=("客户端一", "客户端二"),
        )
        client = driver.client(account)
        info = await client.get_own_info()
        assert (info.id, info.name, info.phone, info.email) == (account.id, "小湖", phone, email)
        assert (info.coin, info.is_vip, info.vip_status) == (12.34, 1, messages.VipStatus.ACTIVE)
        medals = await client.list_own_medals()
        assert [medal.name for medal in medals] == ["客户端一", "客户端二"]
        assert (await client.get_user(account.id)).medal == medals
        page = await client.list_coin_record()
        assert page == await client.web_list_coin_record()
        assert (page.total, page.entries[0].after_amount) == (1, Decimal("12.34"))
        web = await client.web_get_own_info()
        assert (web.user_id, web.nickname, web.gold_coin_amount) == (
            account.id,
            "小湖",
            Decimal("12.34"),
        )
        homepage = await client.web_get_homepage(account.id)
        assert [medal.name for medal in homepage.medals] == ["客户端一", "客户端二"]
        assert (await client.web_get_homepage("1")).nickname == ""
        await client.set_ignored_modules("phone", ",30,10")
        assert (await client.get_ignored_modules("phone")).ignore == ",30,10"
        assert (await client.get_adverts()).is_show == 0


async def test_edits(driver: AsyncSandbox) -> None:
    """Saved values are read back; None leaves a value, "" and 0 clear it (wire.md 4)."""
    async with driver:
        client = driver.client(await driver.accounts.create())
        await client.edit_nickname("湖畔")
        await client.edit_avatar("https://example.com/a.png")
        info = await client.get_own_info()
        assert (info.name, info.avatar_url) == ("湖畔", "https://example.com/a.png")
        await client.save_personal_data(
            gender=2, birthday=-86_400, city="杭州", location_code="330100"
        )
        await client.save_personal_data(introduction="一行\n两行", city="")
        data = await client.get_personal_data()
        assert (data.gender, data.birthday, data.city) == (2, -86_400, "")
        assert (data.introduction, data.location_code) == ("一行\n两行", "330100")
        other = await driver.accounts.create(nickname="other")
        await client.save_remark(other.id, name="友", phone="123", others={"键": "值"})
        remark = (await client.get_user(other.id)).remark_info
        assert remark == messages.RemarkInfo("友", "123", '[{"key":"键","value":"值"}]')
        task = await client.get_task_info()
        assert (task.avatar_edit_number, task.nickname_edit_number) == (1, 1)
        await client.set_notification("phone", "r", is_open=False, type=2)
        setting = await client.get_notification("phone", "r")
        assert (setting.is_open, setting.type, setting.device_id) == (0, 2, "phone")
        await client.change_invitation_code(f"LAKE{other.id}")
        assert (await client.get_own_info()).invitation_code == f"LAKE{other.id}"


@pytest.mark.slow
async def test_contacts_and_password(driver: AsyncSandbox, wire: WireClient) -> None:
    """Binding, changing, a first password, signing in with it, and cancelling the account."""
    async with driver:
        phone, email, newer = wire.fresh_phone(), wire.fresh_email(), wire.fresh_email()
        client = await driver.sign_in(phone)
        await client.bind_email(email, await email_code(driver, client, email))
        await client.change_email(newer, await email_code(driver, client, newer))
        assert (await client.get_own_info()).email == newer
        code = await email_code(driver, client, newer)
        with pytest.raises(WeakPassword) as weak:
            await client.reset_password(newer, code, "password123456789")
        assert isinstance(weak.value, AccountRefusal)
        await client.reset_password(newer, await email_code(driver, client, newer), PASSWORD)
        with pytest.raises(WrongEmailOrPassword):
            await client.email_login(newer, "another lake at seven")
        login = await client.email_login(newer, PASSWORD, device_id="d", platform="linux")
        assert login.token == client.token
        await client.change_phone(phone, await sms_code(driver, client, phone))
        other = wire.fresh_phone()
        await client.change_phone(other, await sms_code(driver, client, other))
        await client.cancel_account(await sms_code(driver, client, other), phone=other)
        assert client.token == ""
        with pytest.raises(AccountCancelled):
            await client.email_login(newer, PASSWORD)


async def test_a_first_phone(driver: AsyncSandbox, wire: WireClient) -> None:
    """An account without a number binds one."""
    async with driver:
        client = driver.client(await driver.accounts.create(email=wire.fresh_email()))
        phone = wire.fresh_phone()
        await client.bind_phone(phone, await sms_code(driver, client, phone))
        assert (await client.get_own_info()).phone == phone


async def test_refusals(driver: AsyncSandbox, wire: WireClient) -> None:
    """Each refusal has its own class, with its code and both texts, in every response format."""
    async with driver:
        client = driver.client(await driver.accounts.create())
        banned = await driver.accounts.create(ban_days=3, ban_reason="刷屏")
        with pytest.raises(UnknownUser) as unknown:
            await client.get_user("999999999999999")
        assert (unknown.value.zh, unknown.value.en) == ("该用户不存在", "This user does not exist")
        assert (unknown.value.message, unknown.value.http_status) == ("该用户不存在", 200)
        with pytest.raises(Banned):
            await client.get_user(banned.id)
        with pytest.raises(InvalidField) as invalid:
            await client.list_groups(size=101)
        assert invalid.value.field == "size"
        assert invalid.value.en == "Bad request: the value of size is not valid"
        with pytest.raises(VipOnly):
            await client.get_ignored_modules("phone")
        captcha = await client.create_captcha()
        with pytest.raises(WrongCaptcha):
            await client.send_sms_code(wire.fresh_phone(), captcha.id, "wrong")
        with pytest.raises(WrongCode):
            await client.code_login(wire.fresh_phone(), "000000")
        with pytest.raises(NotSignedIn):
            await driver.client().get_own_info()
        assert await driver.outbox.list("nobody") == ()
        with pytest.raises(SandboxRefusal) as late:
            await driver.outbox.wait("nobody", within=0.05)
        assert late.value.http_status == 408
        with pytest.raises(SandboxRefusal, match="number"):
            await driver.seed("minimal", 10**9)


async def test_the_first_screen(driver: AsyncSandbox) -> None:
    """Lists are empty, and the server's information is read (wire.md 8.2, 8.3)."""
    async with driver:
        client = driver.client(await driver.accounts.create())
        conversations = await client.list_conversations()
        assert (conversations.conversations, conversations.total) == ((), 0)
        assert await client.list_conversations(conversations.md5) == conversations
        contacts = await client.list_contacts()
        assert [(group.list_name, group.chat_type) for group in contacts.groups] == [
            ("用户", 1),
            ("我加入的群聊", 2),
            ("机器人", 3),
        ]
        requests = await client.list_friend_requests()
        assert (requests.total, requests.pending, requests.requests) == (0, 0, ())
        assert await client.list_sticky() == ()
        for change in (
            client.dismiss_notification,
            client.remove_conversation,
            client.sort_conversations,
        ):
            await change("1")
        assert (await client.get_beta_info()).beta == "noapply"
        assert (await client.get_distribution()).websocket_url.endswith("/ws")
        assert (await client.get_upload_sizes()).image_size_limit_vip > 0
        assert await client.get_gray_status() == 0
        upload = await client.get_upload_token()
        assert upload.token.count(":") == 2
        progress = await client.get_invite_progress()
        assert progress.current_number_total > 0
        await client.logout_device("elsewhere")


async def test_discovery_and_shop(driver: AsyncSandbox, wire: WireClient) -> None:
    """Lists are empty; unknown ids are refused or give an empty list, as the contract says."""
    async with driver:
        await driver.seed("discovery", 3)
        account = await driver.accounts.create(nickname="findme")
        client = driver.client(account)
        groups = await client.list_groups()
        assert len(groups) >= 3
        assert await client.list_groups(keyword=groups[0].chat_id) == groups[:1]
        assert (await client.web_get_group(groups[0].chat_id)).name == groups[0].nickname
        assert (await client.web_get_group("1")).name == ""
        bots = await client.list_bots()
        assert (await client.web_get_bot(bots[0].chat_id)).nickname == bots[0].nickname
        assert len(await client.list_categories()) > 0
        users, _, _ = await client.home_search(account.id)
        assert users.hits is not None
        assert [(hit.friend_id, hit.name) for hit in users.hits] == [(account.id, "findme")]
        products = await client.list_products()
        assert (products.products, products.total) == ((), 0)
        for buy in (client.get_product(999_999), client.create_order(999_999, 1)):
            with pytest.raises(Refusal) as unknown:
                await buy
            assert unknown.value.code == 1511
        assert (await client.list_vip_products()).products == ()
        assert await client.list_vip_benefits() == ()
        slide = await client.create_slide_captcha()
        assert (slide.type, slide.master_size.width, slide.tile_size.height) == ("slide", 300, 70)
        x = float(await driver.outbox.code(slide.id))
        await client.send_sms_code(wire.fresh_phone(), slide.id, x=x)


async def test_clock_and_reset(kind: Kind, emptied_sandbox: Server) -> None:
    """The clock is set as requested, and a reset leaves nothing."""
    async with make_sandbox(kind, emptied_sandbox.url) as driver:
        await driver.reset()
        seeded = await driver.seed("vip")
        assert all(one.token for one in seeded)
        now = (await driver.clock.advance(0)).now
        assert (await driver.clock.advance(3600)).now - now in range(3600, 3660)
        assert (await driver.clock.set(4_000_000_000)).now in range(4_000_000_000, 4_000_000_060)
        await driver.reset()
        with pytest.raises(NotSignedIn):
            await driver.client(seeded[0]).get_own_info()
        assert (await driver.clock.advance(0)).now < 4_000_000_000


async def test_faults(kind: Kind, emptied_sandbox: Server) -> None:
    """Faults occur and are counted as requested, and a reset removes them."""
    async with make_sandbox(kind, emptied_sandbox.url) as driver:
        await driver.reset()
        client = driver.client(await driver.accounts.create())
        refused = Fault(path="/v1/user/info", nth=2, code=1002)
        told = await driver.faults.set(refused, Fault(path="/v1/user/get-user", reset="after"))
        assert told[0] == refused
        await client.get_own_info()
        with pytest.raises(Busy):
            await client.get_own_info()
        with pytest.raises(ConnectionFailed):
            await client.get_user("1")
        assert [fault.hits for fault in await driver.faults.list()] == [1, 1]
        with pytest.raises(SandboxRefusal, match="rule 1"):
            await driver.faults.set(Fault(path="/v1/user/info"))
        await driver.faults.clear()
        assert await driver.faults.list() == ()
        await driver.faults.set(Fault(code=1002))
        await driver.reset()
        assert await driver.faults.list() == ()


def fetch(method: str, url: str) -> httpx.Response:
    """Send a request as another client does."""
    return httpx.request(method, url, trust_env=False)


@pytest.mark.slow
async def test_rules(kind: Kind, emptied_sandbox: Server) -> None:
    """Paths that Hupan does not serve are counted, and answered by the rules."""
    async with make_sandbox(kind, emptied_sandbox.url) as driver:
        await driver.reset()
        await driver.requests.clear()
        path = "/v1/msg/list-message"
        assert fetch("POST", f"{driver.url}{path}").status_code == 404
        rule = Rule("/v1/msg/*", method="POST", status=201, json={"list": [None]})
        assert await driver.rules.set(rule, Rule("/v1/x", bytes_base64="aHU=")) == (
            rule,
            Rule("/v1/x", bytes_base64="aHU="),
        )
        answer = fetch("POST", f"{driver.url}{path}")
        assert (answer.status_code, answer.json()) == (201, {"list": [None]})
        assert fetch("GET", f"{driver.url}/v1/x").content == b"hu"
        assert [one.hits for one in await driver.rules.list()] == [1, 1]
        unserved = await driver.requests.unserved()
        seen = {(one.method, one.path): (one.count, one.rule) for one in unserved.paths}
        assert seen["POST", path] == (2, 1)
        assert unserved.count >= 2
        with pytest.raises(SandboxRefusal, match="rule 1"):
            await driver.rules.set(Rule("/v1/user/info", json={}))
        await driver.rules.set(Rule("/v1/x", json=None))
        assert fetch("GET", f"{driver.url}/v1/x").json() is None
        await driver.rules.clear()
        assert await driver.rules.list() == ()


@pytest.mark.slow
async def test_pictures(driver: AsyncSandbox) -> None:
    """A picture is uploaded and becomes an avatar that is public (wire.md 8.4)."""
    async with driver:
        account = await driver.accounts.create()
        client = driver.client(account)
        address = await client.upload_picture(picture("JPEG"), f"avatars/{account.id}.jpg")
        await client.edit_avatar(address)
        shown = (await client.get_user(account.id)).avatar_url
        found = fetch("GET", shown)
        assert decode(found.content).size == (64, 48)
        assert await client.upload_picture(picture("PNG")) != await client.upload_picture(
            picture("PNG")
        )
        for content, key in ((b"no picture", "a.png"), (picture("PNG"), "湖.png")):
            with pytest.raises(PictureRefusal) as refused:
                await client.upload_picture(content, key)
            assert refused.value.http_status != 200
        client.token = ""
        with pytest.raises(NotSignedIn):
            await client.upload_picture(picture("PNG"))


async def test_a_frozen_clock(kind: Kind, emptied_sandbox: Server) -> None:
    """The clock stands still until it is advanced, and lists what is pending."""
    async with make_sandbox(kind, emptied_sandbox.url) as driver:
        await driver.reset()
        frozen = await driver.clock.freeze()
        assert frozen.frozen
        await driver.accounts.create(ban_days=1)
        now = (await driver.clock.get()).now
        assert now == frozen.now
        pending = (await driver.clock.get()).pending
        assert now + 86_400 in [item.at for item in pending]
        assert (await driver.clock.advance(90)).now == now + 90
        with pytest.raises(SandboxRefusal):
            await driver.clock.set(now)
        assert not (await driver.clock.unfreeze()).frozen


async def test_the_journal(kind: Kind, emptied_sandbox: Server) -> None:
    """The journal has decoded requests and responses, and marks errors where they occur."""
    async with make_sandbox(kind, emptied_sandbox.url) as driver:
        await driver.reset()
        account = await driver.accounts.create(nickname="湖")
        client = driver.client(account)
        await client.get_own_info()
        with pytest.raises(InvalidField):
            await client.list_groups(size=101)
        refused, info = await driver.requests.list()
        assert (info.method, info.path, info.status) == ("GET", "/v1/user/info", 200)
        assert (info.account, info.result, info.refusal) == (account.id, "ok", None)
        assert isinstance(info.response.decoded, dict)
        assert info.response.decoded["data"]["name"] == "湖"
        assert refused.refusal is not None
        assert (refused.refusal.name, refused.refusal.code) == ("InvalidField", 1100)
        marks = {field.path: field.mark for field in refused.request.fields}
        assert (marks["size"], marks["page"]) == ("outOfRange", "ok")
        assert await driver.requests.list(result="refused", account=account.id) == (refused,)
        assert await driver.requests.list("/v1/user/info*") == (info,)
        await driver.requests.clear()
        assert await driver.requests.list() == ()


async def test_snapshots(kind: Kind, emptied_sandbox: Server) -> None:
    """A snapshot restores the saved state, from a file too, after any changes."""
    async with make_sandbox(kind, emptied_sandbox.url) as driver:
        await driver.reset()
        name = f"before-{kind}"
        client = driver.client(await driver.accounts.create(nickname="湖"))
        saved = await driver.snapshots.save(name)
        assert (saved.name, saved.accounts) == (name, 1)
        assert saved in await driver.snapshots.list()
        content = await driver.snapshots.read_file(name)
        await driver.snapshots.delete(name)
        await client.edit_nickname("畔")
        await driver.snapshots.add_file(name, content)
        await driver.snapshots.restore(name)
        assert (await client.get_own_info()).name == "湖"
        await driver.snapshots.delete(name)
        for missing in (name, "?", "a b"):
            with pytest.raises(SandboxRefusal):
                await driver.snapshots.restore(missing)
        with pytest.raises(ValueError, match="needs a name"):
            await driver.snapshots.save("..")


async def test_no_listener(kind: Kind) -> None:
    """A missing server has its own error class, with a message."""
    async with make_client(kind, "http://127.0.0.1:9") as client:
        with pytest.raises(Exception, match=r"no answer from http://127\.0\.0\.1:9: ConnectError"):
            await client.get_own_info()
