"""What the page on compatibility says of endpoints besides their line in the table."""

from typing import Any, Final, TypeAlias

from hupan.contract import endpoints as of
from hupan.contract.endpoints import Endpoint
from tools.docs.document_general import Note, SourceMark

Line: TypeAlias = Endpoint[Any, Any, Any]


_READ_IN_CLIENTS: Final = (
    of.send_sms_code,
    of.send_email_code,
    of.save_remark,
    of.web_list_coin_record,
    of.get_invite_progress,
    of.change_invitation_code,
    of.list_devices,
    of.logout_device,
    of.cancel_account,
    of.web_get_homepage,
    of.web_get_own_info,
)
_READ_IN_REFERENCE: Final = (
    of.create_captcha,
    of.code_login,
    of.email_login,
    of.get_own_info,
    of.get_user,
    of.edit_nickname,
    of.edit_avatar,
    of.save_personal_data,
    of.get_personal_data,
    of.bind_phone,
    of.bind_email,
    of.change_phone,
    of.change_email,
    of.reset_password,
    of.logout,
    of.list_coin_record,
    of.list_own_medals,
    of.list_categories,
    of.list_groups,
    of.list_bots,
    of.get_ignored_modules,
    of.set_ignored_modules,
    of.get_notification,
    of.set_notification,
    of.get_adverts,
)
ENDPOINT_SOURCES: dict[Line, SourceMark] = {
    **dict.fromkeys(_READ_IN_REFERENCE, "R"),
    **dict.fromkeys(_READ_IN_CLIENTS, "C"),
}
"""Where each endpoint comes from; its notes may add marks.

There is no default: a guard names an endpoint that has no line here.
"""

_BINDING: tuple[Note, ...] = (
    Note(
        "D",
        "The code must have gone to the new target. That it is somebody else's is told only after "
        "a right code ([decision 12](decisions/0012-contacts.md)).",
        "验证码须发往新的号码或邮箱；验证码正确后才会告知已被他人使用（[决定 "
        "12](decisions/0012-contacts.md)）。",
    ),
)
_CHANGING: tuple[Note, ...] = (
    Note(
        "D",
        "With the target that is bound now, the call is a proof that counts for ten minutes. With "
        "a new one it changes, after such a proof or within 15 minutes of signing in; else 1407. A "
        "change ends the account's other sessions. While the other one was bound without proof and "
        "not long ago, only a proof serves; else 1411 ([decision 12](decisions/0012-contacts.md)).",
        "填写当前绑定的号码或邮箱即为验证，十分钟内有效；填写新的则为更换，须先验证或在登录 15 分钟"
        "之内，"
        "否则 1407。更换会结束该账号的其他会话。若另一种在不久前未经验证绑定，则须先验证，否则 1411"
        "（[决定 12](decisions/0012-contacts.md)）。",
    ),
)

ENDPOINT_NOTES: dict[Line, tuple[Note, ...]] = {
    of.create_captcha: (
        Note(
            "C",
            "`b64s` begins with `data:image/png;base64,`; the reference's `image//png` is a "
            "misprint.",
            "`b64s` 以 `data:image/png;base64,` 开头；文档中的 `image//png` 是笔误。",
        ),
        Note(
            "D",
            "Five digits from 2 to 9. Good once, also after a wrong answer, for five minutes "
            "([decision 6](decisions/0006-captchas.md)).",
            "五位数字，取自 2 至 9；只能用一次，答错也作废，五分钟内有效（[决定 "
            "6](decisions/0006-captchas.md)）。",
        ),
    ),
    of.send_sms_code: (
        Note(
            "D",
            "The request names no purpose, so the server decides what a code is good for when it "
            "sends it: for the account that has the number, or for nobody's number.",
            "请求不含用途，因此验证码能用于何处在发送时决定：归属于拥有该号码的账号，或用于无人使"
            "用的号码。",
        ),
    ),
    of.send_email_code: (
        Note(
            "C",
            "`typ` may be absent: a widespread client never sends it.",
            "`typ` 可以缺省：有一个常用客户端从不发送。",
        ),
        Note(
            "D",
            "A code of `forget_password` serves only there. For an address that nobody has, the "
            "answer is the same and nothing is sent.",
            "以 `forget_password` 索取的验证码只能用于重设密码；邮箱无人使用时答复相同，但不发送邮"
            "件。",
        ),
    ),
    of.code_login: (
        Note(
            "C",
            "`deviceId` and `platform` are free text and may be absent; a sign-in without deviceId "
            "replaces no other, and without platform a word of User-Agent is shown.",
            "`deviceId` 与 `platform` 为任意文本，可以缺省；没有 deviceId 的登录不替换其他登录，"
            "没有 platform 时取 User-Agent 中的一个词。",
        ),
        Note(
            "D",
            "A number that nobody has becomes a new account, unless sign-up is closed (1302). A "
            "new "
            "sign-in replaces the session of the same device.",
            "无人使用的号码成为新账号，除非关闭注册（1302）；同一设备再次登录会替换原会话。",
        ),
    ),
    of.email_login: (
        Note(
            "D",
            "Wrong address, wrong password and no password have one answer (1301) and one "
            "duration.",
            "邮箱错误、密码错误、未设密码的答复（1301）与用时均相同。",
        ),
    ),
    of.get_own_info: (
        Note(
            "C",
            "`vip_status` (11) is not in the reference.",
            "公开文档没有 `vip_status`（11）。",
        ),
    ),
    of.get_user: (
        Note(
            "C",
            "`vip_status` (15) and `ban_reason` (21) are not in the reference.",
            "公开文档没有 `vip_status`（15）与 `ban_reason`（21）。",
        ),
        Note(
            "D",
            "A banned account is 7100 without data, so `ban_time` and `ban_reason` are never "
            "filled.",
            "被封禁的账号答复 7100 且没有数据，因此 `ban_time` 与 `ban_reason` 从不填写。",
        ),
        Note(
            "D",
            "`remark_info` is there only for the token of a live session. Birthday, address, last "
            "active time and country obey the owner's privacy; `name_id` and `avatar_id` count "
            "changes ([decision 11](decisions/0011-profiles.md)).",
            "只有有效会话才有 `remark_info`；生日、所在地、活跃时间与归属地遵从本人的隐私设置；"
            "`name_id` 与"
            " `avatar_id` 为修改次数（[决定 11](decisions/0011-profiles.md)）。",
        ),
        Note(
            "D",
            "`ipGeo` is the country in Chinese, or empty where it is not known "
            "([decision 10](decisions/0010-countries.md)).",
            "`ipGeo` 为中文国家或地区名，未知则为空（[决定 10](decisions/0010-countries.md)）。",
        ),
    ),
    of.edit_nickname: (
        Note(
            "D",
            "1 to 32 visible characters after trimming; no control or direction characters.",
            "去除首尾空白后 1 至 32 个可见字符，不含控制字符与方向控制符。",
        ),
    ),
    of.edit_avatar: (
        Note(
            "D",
            "An http or https address of at most 512 characters, kept written anew; the server "
            "never opens it. A setting can limit the hosts "
            "([decision 11](decisions/0011-profiles.md)).",
            "至多 512 个字符的 http 或 https 地址，规范化后保存，服务器从不访问；可用设置限定主机"
            "（[决定 11](decisions/0011-profiles.md)）。",
        ),
    ),
    of.save_personal_data: (
        Note(
            "C",
            "Absent keys stay as they are: some clients send two of the seven.",
            "缺省的键保持不变：有的客户端只发送七个中的两个。",
        ),
        Note(
            "D",
            '`gender` and `birthday` 0 and "" take a value back. `birthday` is in seconds and not '
            "ahead; it is negative before 1970, from -2208988800 (1900) on, and get-user shows it "
            "as 0 then; `locationCode` is any six digits, an administrative division rather than a "
            "postal code ([decision 11](decisions/0011-profiles.md)).",
            "`gender`、`birthday` 为 0，文本为空，即为清除。`birthday` 以秒计且不晚于现在，"
            "1970 年以前为负数，最早 -2208988800（1900 年），get-user 将其显示为 0；"
            "`locationCode`"
            " 为任意六位数字，是行政区划代码而非邮政编码（[决定 "
            "11](decisions/0011-profiles.md)）。",
        ),
    ),
    of.get_personal_data: (
        Note(
            "D",
            "Always eleven keys, never null; `id` is the account's id as a number.",
            "总是十一个键，从不为 null；`id` 为数字形式的账号编号。",
        ),
    ),
    of.save_remark: (
        Note(
            "D",
            "`others` has at most 20 pairs and is kept with `key` and `value` alone; an account "
            "notes about at most 5,000 others (1441), 250,000 characters in all (1442).",
            "`others` 至多 20 对，只保留 `key` 与 `value`；每个账号至多备注 5000 人（1441），"
            "总共至多 250000 字（1442）。",
        ),
    ),
    of.bind_phone: _BINDING,
    of.bind_email: _BINDING,
    of.change_phone: _CHANGING,
    of.change_email: _CHANGING,
    of.reset_password: (
        Note(
            "D",
            "Also sets the first password. Ends every session; common passwords are refused "
            "([decision 12](decisions/0012-contacts.md)).",
            "也用于首次设置密码；结束所有会话，拒绝常见密码（[决定 "
            "12](decisions/0012-contacts.md)）。",
        ),
    ),
    of.logout: (
        Note(
            "D",
            "Ends the session of the token, whatever device the body names. With a token that "
            "signed out before, it succeeds again.",
            "结束该令牌的会话，与请求体中的设备无关；已退出的令牌再次退出仍答复成功。",
        ),
    ),
    of.list_coin_record: (
        Note(
            "D",
            "`id` ascends within the account and is unique there alone; `size` and `page` must be "
            "there ([decision 9](decisions/0009-coin-journal.md)).",
            "`id` 只在该账号内唯一且递增；`size` 与 `page` 必填（[决定 "
            "9](decisions/0009-coin-journal.md)）。",
        ),
    ),
    of.get_invite_progress: (
        Note(
            "D",
            "The targets are settings. No request names an inviter, so accounts are linked when "
            "they are made, by an operator ([decision 8](decisions/0008-invitations.md)).",
            "目标人数由设置决定。没有请求会指明邀请人，因此由管理员在新建账号时关联"
            "（[决定 8](decisions/0008-invitations.md)）。",
        ),
    ),
    of.change_invitation_code: (
        Note(
            "D",
            "Chooses the caller's own code, 4 to 16 letters and digits, once; the former code "
            "still leads there ([decision 8](decisions/0008-invitations.md)).",
            "自选邀请码，4 至 16 位字母与数字，只能改一次；原邀请码仍然有效（[决定 "
            "8](decisions/0008-invitations.md)）。",
        ),
    ),
    of.list_groups: (
        Note(
            "D",
            "No category is all groups, 精选 the featured ones, an unknown one none. By headcount; "
            "for a keyword of three and more characters the list ends behind the first 4,000 "
            "candidates ([decision 7](decisions/0007-discovery-search.md)).",
            "分区为空即全部，“精选”为精选群聊，未知分区为空列表；按人数排列。三个字以上的关键词，列"
            "表止于前 4000 个候选群聊（[决定 7](decisions/0007-discovery-search.md)）。",
        ),
    ),
    of.list_bots: (
        Note(
            "C",
            "`chatType` and `headcount` are texts, unlike in the list of groups.",
            "`chatType` 与 `headcount` 为文本，与群聊列表不同。",
        ),
        Note(
            "D",
            "The 100 bots with the most users; there are no pages.",
            "使用人数最多的 100 个，不分页。",
        ),
    ),
    of.list_devices: (
        Note(
            "D", "Live sessions alone, the newest sign-in first.", "只列有效会话，最近登录的在前。"
        ),
    ),
    of.logout_device: (
        Note(
            "D",
            "A device that is not the caller's, or not there, changes nothing and succeeds.",
            "设备不属于本人或不存在时不做任何事，答复成功。",
        ),
    ),
    of.cancel_account: (
        Note(
            "D",
            "One of `phone` and `email`, the one that is bound and that the code went to. Sessions "
            "end at once; data is erased and the number free after 15 days, until then signing in "
            "is 1421. One that was bound later than the other, without proof and not long ago, is "
            "1411.",
            "`phone` 与 `email` 二选一，须为当前绑定且收到验证码者。会话立即结束；15 天后清除数据并"
            "释放号码，"
            "此前登录答复 1421。若所填者绑定较晚，且在不久前未经验证，则为 1411。",
        ),
    ),
    of.get_ignored_modules: (
        Note(
            "D",
            "A device for which nothing was set has `id` 0 and an empty `ignore`.",
            "未设置过的设备 `id` 为 0，`ignore` 为空。",
        ),
    ),
    of.set_ignored_modules: (
        Note(
            "D",
            "The ids 10, 20 and 30, each once; others are refused.",
            "编号 10、20、30，各一次；其他被拒绝。",
        ),
    ),
    of.get_notification: (
        Note(
            "D",
            "A device for which nothing was set has `id` 0 and `isOpen` 1.",
            "未设置过的设备 `id` 为 0，`isOpen` 为 1。",
        ),
    ),
    of.set_notification: (
        Note(
            "C",
            "Stores, although the reference's title says that it reads.",
            "用于保存，尽管文档的标题写作“获取”。",
        ),
    ),
    of.get_adverts: (
        Note(
            "D",
            "From settings, by default 0; to VIP always 0.",
            "由设置决定，默认 0；对会员总是 0。",
        ),
    ),
    of.web_get_homepage: (
        Note(
            "C",
            "An unknown id is a success with empty texts and `registerTime` 0.",
            "编号未知时答复成功，文本为空，`registerTime` 为 0。",
        ),
        Note("D", "A banned account looks like an unknown one.", "被封禁的账号与未知编号相同。"),
    ),
    of.web_get_own_info: (Note("C", "`avatarId` is a text here.", "此处 `avatarId` 为文本。"),),
}
