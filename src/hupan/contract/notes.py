"""Known deviations and decisions of single endpoints, for docs/compatibility.md in both languages.

Each constant belongs to the endpoint in endpoints.py that refers to it.
"""

from typing import Literal, NamedTuple, TypeAlias

Source: TypeAlias = Literal["R", "C", "D"]
"""Origin of a fact: R, the published reference; C, the code of real clients; D, our decision."""


class Note(NamedTuple):
    """One known deviation or decision."""

    source: Source
    en: str
    zh: str


CREATE_CAPTCHA = (
    Note(
        "C",
        "`b64s` begins with `data:image/png;base64,`; the reference's `image//png` is a misprint.",
        "`b64s` 以 `data:image/png;base64,` 开头；文档中的 `image//png` 是笔误。",
    ),
    Note(
        "D",
        "Five digits from 2 to 9. Valid for one answer, right or wrong, and for five minutes "
        "([decision 6](decisions/0006-captchas.md)).",
        "五位数字，取自 2 至 9；只能用一次，答错也作废，五分钟内有效（[决定 "
        "6](decisions/0006-captchas.md)）。",
    ),
)
CREATE_SLIDE_CAPTCHA = (
    Note(
        "D",
        "Like the picture: valid for one answer, right or wrong, and for five minutes. Both are "
        "offered unless `captcha_kinds` names one; an answer without `captcha_type` is one to a "
        "picture ([decision 38](decisions/0038-slide-captcha.md)).",
        "与图形验证码一样，只能用一次，答错也作废，五分钟内有效。除非 `captcha_kinds` 只列出一种，"
        "否则两种都可用；请求中没有 `captcha_type` 时按图形验证码核对"
        "（[决定 38](decisions/0038-slide-captcha.md)）。",
    ),
)
SEND_SMS_CODE = (
    Note(
        "D",
        "The request names no purpose, so the server decides what a code is valid for when it "
        "sends it: for the account that has the number, or for an unused number.",
        "请求不含用途，因此验证码能用于何处在发送时决定：归属于拥有该号码的账号，或用于无人使用"
        "的号码。",
    ),
)
SEND_EMAIL_CODE = (
    Note(
        "C",
        "`typ` may be absent: a widespread client never sends it.",
        "`typ` 可以缺省：有一个常用客户端从不发送。",
    ),
    Note(
        "D",
        "A code requested with `forget_password` is valid only there. For an unused address the "
        "response is the same and nothing is sent.",
        "以 `forget_password` 索取的验证码只能用于重设密码；邮箱无人使用时答复相同，但不发送邮件。",
    ),
)
CODE_LOGIN = (
    Note(
        "C",
        "`deviceId` and `platform` are free text and may be absent; a login without deviceId "
        "replaces no other session, and without platform a word of User-Agent is shown.",
        "`deviceId` 与 `platform` 为任意文本，可以缺省；没有 deviceId 的登录不替换其他登录，没"
        "有 platform 时取 User-Agent 中的一个词。",
    ),
    Note(
        "D",
        "An unused number becomes a new account, unless sign-up is closed (1302). A new login "
        "replaces the session of the same device.",
        "无人使用的号码成为新账号，除非关闭注册（1302）；同一设备再次登录会替换原会话。",
    ),
)
EMAIL_LOGIN = (
    Note(
        "D",
        "Wrong address, wrong password and no password get the same response (1301) in the same "
        "time.",
        "邮箱错误、密码错误、未设密码的答复（1301）与用时均相同。",
    ),
)
GET_OWN_INFO = (
    Note(
        "C",
        "`vip_status` (11) is not in the reference.",
        "公开文档没有 `vip_status`（11）。",
    ),
)
GET_USER = (
    Note(
        "C",
        "`vip_status` (15) and `ban_reason` (21) are not in the reference.",
        "公开文档没有 `vip_status`（15）与 `ban_reason`（21）。",
    ),
    Note(
        "D",
        "A banned account is 7100 without data, so `ban_time` and `ban_reason` are never set.",
        "被封禁的账号答复 7100 且没有数据，因此 `ban_time` 与 `ban_reason` 从不填写。",
    ),
    Note(
        "D",
        "`remark_info` is present only for the token of a live session. Birthday, address, last "
        "active time and country obey the owner's privacy; `name_id` and `avatar_id` count "
        "changes ([decision 11](decisions/0011-profiles.md)).",
        "只有有效会话才有 `remark_info`；生日、所在地、活跃时间与归属地遵从本人的隐私设置；"
        "`name_id` 与 `avatar_id` 为修改次数（[决定 11](decisions/0011-profiles.md)）。",
    ),
    Note(
        "D",
        "`ipGeo` is the country in Chinese, or empty where it is not known ([decision "
        "10](decisions/0010-countries.md)).",
        "`ipGeo` 为中文国家或地区名，未知则为空（[决定 10](decisions/0010-countries.md)）。",
    ),
)
EDIT_NICKNAME = (
    Note(
        "D",
        "1 to 32 visible characters after trimming; no control or direction characters.",
        "去除首尾空白后 1 至 32 个可见字符，不含控制字符与方向控制符。",
    ),
)
EDIT_AVATAR = (
    Note(
        "D",
        "An http or https URL of at most 512 characters, stored in normal form; the server "
        "never opens it. A setting can limit the hosts ([decision "
        "11](decisions/0011-profiles.md)).",
        "至多 512 个字符的 http 或 https 地址，规范化后保存，服务器从不访问；可用设置限定主机（"
        "[决定 11](decisions/0011-profiles.md)）。",
    ),
)
SAVE_PERSONAL_DATA = (
    Note(
        "C",
        "Absent keys stay as they are: some clients send two of the seven.",
        "缺省的键保持不变：有的客户端只发送七个中的两个。",
    ),
    Note(
        "D",
        '`gender` and `birthday` 0 and "" clear a value. `birthday` is in seconds and not in '
        "the future; it is negative before 1970, from -2208988800 (1900) on, and get-user shows it "
        "as 0 then; `locationCode` is any six digits, an administrative division rather than a "
        "postal code ([decision 11](decisions/0011-profiles.md)).",
        "`gender`、`birthday` 为 0，文本为空，即为清除。`birthday` 以秒计且不晚于现在，1970 年"
        "以前为负数，最早 -2208988800（1900 年），get-user 将其显示为 0；`locationCode` 为任意"
        "六位数字，是行政区划代码而非邮政编码（[决定 11](decisions/0011-profiles.md)）。",
    ),
)
GET_PERSONAL_DATA = (
    Note(
        "D",
        "Always eleven keys, never null; `id` is the account's id as a number.",
        "总是十一个键，从不为 null；`id` 为数字形式的账号编号。",
    ),
)
SAVE_REMARK = (
    Note(
        "D",
        "`others` has at most 20 pairs, of which only `key` and `value` are stored; an account "
        "has at most 5,000 remarks (1441) with 250,000 characters in total (1442).",
        "`others` 至多 20 对，只保留 `key` 与 `value`；每个账号至多备注 5000 人（1441），总共至"
        "多 250000 字（1442）。",
    ),
)
BIND_CONTACT = (
    Note(
        "D",
        "The code must have been sent to the new contact. Only a correct code reveals that the "
        "contact belongs to another account ([decision 12](decisions/0012-contacts.md)).",
        "验证码须发往新的号码或邮箱；验证码正确后才会告知已被他人使用（[决定 "
        "12](decisions/0012-contacts.md)）。",
    ),
)
CHANGE_CONTACT = (
    Note(
        "D",
        "With the contact that is bound now, the request is a proof, valid for ten minutes. With "
        "a new one it changes the contact, after such a proof or within 15 minutes of login; "
        "otherwise 1407. A change ends the account's other sessions. While the other contact "
        "was bound recently and without proof, a proof is required; otherwise 1411 ([decision "
        "12](decisions/0012-contacts.md)).",
        "填写当前绑定的号码或邮箱即为验证，十分钟内有效；填写新的则为更换，须先验证或在登录 15 "
        "分钟之内，否则 1407。更换会结束该账号的其他会话。若另一种在不久前未经验证绑定，则须先"
        "验证，否则 1411（[决定 12](decisions/0012-contacts.md)）。",
    ),
)
RESET_PASSWORD = (
    Note(
        "D",
        "Also sets the first password. Ends every session; common passwords are refused "
        "([decision 12](decisions/0012-contacts.md)).",
        "也用于首次设置密码；结束所有会话，拒绝常见密码（[决定 12](decisions/0012-contacts.md)）。",
    ),
)
LOGOUT = (
    Note(
        "D",
        "Ends the session of the token, whatever device the body names. It succeeds again with "
        "a token that has already logged out.",
        "结束该令牌的会话，与请求体中的设备无关；已退出的令牌再次退出仍答复成功。",
    ),
)
LIST_COIN_RECORD = (
    Note(
        "D",
        "`id` ascends and is unique within the account only; `size` and `page` are required "
        "([decision 9](decisions/0009-coin-journal.md)).",
        "`id` 只在该账号内唯一且递增；`size` 与 `page` 必填（[决定 "
        "9](decisions/0009-coin-journal.md)）。",
    ),
)
GET_INVITE_PROGRESS = (
    Note(
        "C",
        "The numbers are the whole server's: accounts registered today and in all, and the "
        'targets of the settings. With `invite_progress = "account"` they are the caller\'s own '
        "invitees.",
        "数字属于整个服务器：今日与累计注册的账号数，以及设置中的目标。"
        '`invite_progress = "account"` 时为本人邀请的人数。',
    ),
    Note(
        "D",
        "No request names an inviter, so an operator links accounts when creating them "
        "([decision 8](decisions/0008-invitations.md)).",
        "没有请求会指明邀请人，因此由管理员在新建账号时关联（[决定 "
        "8](decisions/0008-invitations.md)）。",
    ),
)
CHANGE_INVITATION_CODE = (
    Note(
        "D",
        "Chooses the caller's own code, 4 to 16 letters and digits, once; the former code "
        "stays valid ([decision 8](decisions/0008-invitations.md)).",
        "自选邀请码，4 至 16 位字母与数字，只能改一次；原邀请码仍然有效（[决定 "
        "8](decisions/0008-invitations.md)）。",
    ),
)
LIST_GROUPS = (
    Note(
        "D",
        "No category means all groups, 精选 the featured ones, an unknown one none. Ordered by "
        "headcount; for a keyword of three or more characters the list ends after the first "
        "4,000 candidates ([decision 7](decisions/0007-discovery-search.md)).",
        "分区为空即全部，“精选”为精选群聊，未知分区为空列表；按人数排列。三个字以上的关键词，列"
        "表止于前 4000 个候选群聊（[决定 7](decisions/0007-discovery-search.md)）。",
    ),
)
LIST_BOTS = (
    Note(
        "C",
        "`chatType` and `headcount` are strings, unlike in the list of groups.",
        "`chatType` 与 `headcount` 为文本，与群聊列表不同。",
    ),
    Note(
        "D",
        "The 100 bots with the most users; there are no pages.",
        "使用人数最多的 100 个，不分页。",
    ),
)
LIST_DEVICES = (
    Note(
        "D",
        "Only live sessions, the newest login first.",
        "只列有效会话，最近登录的在前。",
    ),
)
LOGOUT_DEVICE = (
    Note(
        "D",
        "For a device that is unknown or not the caller's, it changes nothing and succeeds.",
        "设备不属于本人或不存在时不做任何事，答复成功。",
    ),
)
CANCEL_ACCOUNT = (
    Note(
        "D",
        "One of `phone` and `email`: bound, and the one that the code was sent to. Sessions end "
        "at once; after 15 days data is erased and the number is free, until then login is "
        "1421. A contact that was bound recently, after the other one and without proof, is "
        "1411.",
        "`phone` 与 `email` 二选一，须为当前绑定且收到验证码者。会话立即结束；15 天后清除数据并"
        "释放号码，此前登录答复 1421。若所填者绑定较晚，且在不久前未经验证，则为 1411。",
    ),
)
GET_IGNORED_MODULES = (
    Note(
        "D",
        "A device without settings has `id` 0 and an empty `ignore`.",
        "未设置过的设备 `id` 为 0，`ignore` 为空。",
    ),
)
SET_IGNORED_MODULES = (
    Note(
        "D",
        "The ids 10, 20 and 30, each at most once; others are refused.",
        "编号 10、20、30，各一次；其他被拒绝。",
    ),
)
GET_NOTIFICATION = (
    Note(
        "D",
        "A device without settings has `id` 0 and `isOpen` 1.",
        "未设置过的设备 `id` 为 0，`isOpen` 为 1。",
    ),
)
SET_NOTIFICATION = (
    Note(
        "C",
        "Stores, although the reference's title says that it reads.",
        "用于保存，尽管文档的标题写作“获取”。",
    ),
)
GET_ADVERTS = (
    Note(
        "D",
        "From settings, 0 by default; always 0 for VIP.",
        "由设置决定，默认 0；对会员总是 0。",
    ),
)
WEB_GET_HOMEPAGE = (
    Note(
        "C",
        "An unknown id is a success with empty strings and `registerTime` 0.",
        "编号未知时答复成功，文本为空，`registerTime` 为 0。",
    ),
    Note(
        "D",
        "A banned account looks like an unknown one.",
        "被封禁的账号与未知编号相同。",
    ),
)
WEB_GET_OWN_INFO = (
    Note(
        "C",
        "`avatarId` is a string here.",
        "此处 `avatarId` 为文本。",
    ),
)
EMPTY_LIST = (
    Note(
        "D",
        "Always empty: Hupan keeps accounts, and lists are a message server's ([decision "
        "39](decisions/0039-first-screen.md)).",
        "总是为空：湖畔只管理账号，列表属于消息服务器（[决定 "
        "39](decisions/0039-first-screen.md)）。",
    ),
)
LIST_CONTACTS = (
    Note(
        "D",
        "Three groups (users, groups, bots), each empty; `md5` is that of an empty list, and the "
        "same `md5` in the request changes nothing ([decision "
        "39](decisions/0039-first-screen.md)).",
        "用户、群聊、机器人三组，均为空；`md5` 为空列表的值，请求带有相同的 `md5` 时答复不变"
        "（[决定 39](decisions/0039-first-screen.md)）。",
    ),
)
LIST_FRIEND_REQUESTS = (
    Note(
        "C",
        "One client sends JSON and reads `data.list`: a body that begins with `{` is answered in "
        "JSON, whatever its content type.",
        "有一个客户端发送 JSON 并读取 `data.list`：以 `{` 开头的请求体一律以 JSON 答复，与内容类"
        "型无关。",
    ),
    *EMPTY_LIST,
)
CHANGE_CONVERSATIONS = (
    Note(
        "D",
        "Changes nothing: the list of conversations is empty.",
        "不做任何事：会话列表为空。",
    ),
)
GET_BETA_INFO = (
    Note(
        "D",
        "Always `noapply`.",
        "总是 `noapply`。",
    ),
)
GET_DISTRIBUTION = (
    Note(
        "D",
        "From `public_url`, `media_url` and `websocket_url`; without `public_url` from the host "
        "that the client addressed, with `https` unless that is `localhost` or an IP address.",
        "由 `public_url`、`media_url` 与 `websocket_url` 决定；未设置 `public_url` 时取客户端所访问"
        "的主机，`localhost` 与 IP 地址用 `http`，其余用 `https`。",
    ),
)
GET_UPLOAD_SIZES = (
    Note(
        "C",
        "The key `fileeSizeLimitVip` is misspelt on the wire.",
        "键 `fileeSizeLimitVip` 的拼写即是如此。",
    ),
    Note(
        "D",
        "From settings, the same with and without VIP; 0 for files and videos by default, which "
        "Hupan does not accept.",
        "由设置决定，会员与非会员相同；文件与视频默认为 0，湖畔不接收它们。",
    ),
)
GET_TASK_INFO = (
    Note(
        "D",
        "`avatarEditNumber` and `nicknameEditNumber` are 1 once the caller made such a change, "
        "since only the first earns coins; the other two are always 0.",
        "修改过头像或昵称后，`avatarEditNumber` 或 `nicknameEditNumber` 为 1，因为只有首次修改奖励"
        "金币；另外两个总是 0。",
    ),
)
LIST_VIP = (
    Note(
        "D",
        "From the file `vip_page_file`; empty without it. VIP for coins is sold in the coin shop.",
        "取自 `vip_page_file` 文件，未设置时为空；以金币购买会员见金币商城。",
    ),
)
WEB_GET_LISTED = (
    Note(
        "C",
        "An unknown id is a success with empty strings and 0.",
        "编号未知时答复成功，文本为空，数字为 0。",
    ),
    Note(
        "D",
        "What discovery lists; there is no more about a group or a bot here.",
        "只有发现列表中的资料，没有更多内容。",
    ),
)
