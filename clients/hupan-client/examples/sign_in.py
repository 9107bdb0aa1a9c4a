"""Signs in to a sandbox with a phone number, as a chat client does: sign_in.py URL."""

import sys

from hupan_client import Sandbox
from hupan_client.errors import BadRequest, Refusal, UnknownUser

with Sandbox(sys.argv[1]) as sandbox:
    client = sandbox.client()
    captcha = client.create_captcha()
    answer = sandbox.outbox.code(captcha.id)  # a person reads the picture in captcha.b64s
    client.send_sms_code("13800138000", captcha.id, answer)
    code = sandbox.outbox.code("13800138000")  # a person reads the SMS
    client.code_login("13800138000", code, device_id="laptop", platform="linux")
    client.edit_nickname("小湖")
    print("signed in as", client.get_own_info().name)
    try:
        client.get_user("1")
    except UnknownUser as refusal:
        print("refused:", refusal.code, refusal.en)
    try:
        client.list_coin_record(size=1000)
    except BadRequest as refusal:  # every 11xx
        print("refused:", refusal.code, refusal.en)
    except Refusal as refusal:  # everything that the server says no to
        print("refused:", refusal.code, refusal.message)
    client.logout()
