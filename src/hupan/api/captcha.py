"""Handler of captchas."""

import base64

from hupan.api.call import Call
from hupan.api.services import Services
from hupan.contract.messages.verification import Captcha
from hupan.contract.table import Anything


async def captcha(services: Services, _call: Call, _request: Anything) -> Captcha:
    """A picture as a whole data URL, without line breaks (wire.md 4)."""
    issued = await services.captchas.issue()
    services.on_captcha(issued)
    picture = base64.b64encode(issued.png).decode()
    return Captcha(b64s=f"data:image/png;base64,{picture}", id=issued.id)
