"""Notes of the compatibility page that apply to all endpoints."""

from hupan.contract.endpoints import Note

GENERAL_NOTES: tuple[Note, ...] = (
    Note(
        "C",
        "HTTP 200 for every outcome of a known endpoint; `code` distinguishes them. Only an "
        "unknown path or method (404), a body that is too large (413) and a server that is "
        "shutting down (503) have another status.",
        "已知接口的任何结果均为 HTTP 200，以 `code` 区分；只有路径或方法未知（404）、"
        "请求体过大（413）与服务器正在停止（503）例外。",
    ),
    Note(
        "C",
        "Without a token `-101` is JSON, even on protobuf endpoints. With an invalid token it has "
        "the endpoint's own form.",
        "没有令牌时 `-101` 总是 JSON，protobuf 接口也如此；令牌无效时按接口自身的编码返回。",
    ),
    Note(
        "C",
        "The endpoint determines how a body is decoded, not its Content-Type. Unknown keys "
        "and fields are ignored.",
        "请求体如何解析由接口决定，与 Content-Type 无关；未知的键与字段被忽略。",
    ),
    Note(
        "D",
        "Protobuf endpoints with a documented request also have a JSON form: Content-Type "
        "`application/json` and a body that begins with `{`, with the names of the `.proto`; the "
        "response is JSON too.",
        "有请求消息的 protobuf 接口另有 JSON 形式：Content-Type 为 `application/json` 且请求体以 "
        "`{` 开头，"
        "键名同 `.proto`，响应也是 JSON。",
    ),
    Note(
        "D",
        "A body of a JSON endpoint has at most 64 KiB, of a protobuf endpoint at most 16 KiB.",
        "JSON 接口的请求体不超过 64 KiB，protobuf 接口不超过 16 KiB。",
    ),
    Note(
        "D",
        'Types are exact: `"1"`, `1.0`, `true` and `null` are not integers, and a missing required '
        "field is named in the error (1100). For an optional field `null` is like absence. JSON is "
        "one object in UTF-8, nested at most 16 deep; of a repeated key the last counts.",
        '类型严格：`"1"`、`1.0`、`true`、`null` 都不是整数，缺少必填字段时指出字段名（1100）；'
        "可缺省的字段为 `null` 时视同缺省。JSON "
        "须为一个"
        " UTF-8 对象且嵌套不超过 16 层；键重复时以最后一个为准。",
    ),
    Note(
        "D",
        "`Authorization: Bearer <token>` is accepted where the header `token` is absent. Two "
        "`token` headers are an invalid token.",
        "没有 `token` 请求头时接受 `Authorization: Bearer <token>`；两个 `token` 请求头视为无效。",
    ),
    Note(
        "D",
        "The codes `-101`, `-1`, `1100`, `4402` and `7100` are the public service's. All others "
        "are our own, because those of the public service are unknown.",
        "`-101`、`-1`、`1100`、`4402`、`7100` 与公共服务相同；其余状态码由湖畔自定，公共服务的取值"
        "不得而知。",
    ),
    Note(
        "D",
        "Messages are in Chinese, or in English with `Accept-Language: en`.",
        "消息默认为中文，`Accept-Language: en` 时为英文。",
    ),
    Note(
        "D",
        "Responses have `x-request-id`, `x-result` and `cache-control: no-store`, and are never "
        "compressed.",
        "响应带有 `x-request-id`、`x-result` 与 `cache-control: no-store`，且从不压缩。",
    ),
    Note(
        "D",
        "Tokens look like the public ones, 8-4-4-4-12, in lower-case hexadecimal "
        "([decision 5](decisions/0005-tokens.md)).",
        "令牌形如公共服务的令牌，8-4-4-4-12，十六进制小写（[决定 5](decisions/0005-tokens.md)）。",
    ),
)
