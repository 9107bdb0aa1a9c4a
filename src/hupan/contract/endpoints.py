"""The one table of endpoints (wire.md 4), shared by server, client, documentation and tests."""

from typing import Any

from hupan.contract.messages.login import CodeLogin, EmailLogin, LoginToken
from hupan.contract.messages.verification import Captcha, EmailCodeWanted, SmsCodeWanted
from hupan.contract.pb.hupan_pb2 import GetUser, OwnInfo, User
from hupan.contract.table import (
    ANY_TOKEN,
    MAY_HAVE_LEFT,
    PUBLIC,
    SIGNED_IN,
    Anything,
    Done,
    Endpoint,
    Lines,
)

app = Lines("app")

captcha = app.post("/v1/user/captcha", PUBLIC, Anything, Captcha)
get_sms_code = app.post("/v1/verification/get-verification-code", PUBLIC, SmsCodeWanted, Done)
get_email_code = app.post(
    "/v1/verification/get-email-verification-code", PUBLIC, EmailCodeWanted, Done
)
code_login = app.post("/v1/user/verification-login", PUBLIC, CodeLogin, LoginToken)
email_login = app.post("/v1/user/email-login", PUBLIC, EmailLogin, LoginToken)
own_info = app.get("/v1/user/info", SIGNED_IN, Anything, OwnInfo)
get_user = app.post("/v1/user/get-user", ANY_TOKEN, GetUser, User)
logout = app.post("/v1/user/logout", MAY_HAVE_LEFT, Anything, Done)

ENDPOINTS: tuple[Endpoint[Any, Any, Any], ...] = tuple(
    line for line in globals().values() if isinstance(line, Endpoint)
)
