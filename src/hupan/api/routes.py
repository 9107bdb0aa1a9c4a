"""The table of contents: one line for each endpoint."""

from hupan.api import captcha, login, profiles, verification
from hupan.api.routing import Routes
from hupan.api.services import Services
from hupan.contract import endpoints


def routes(services: Services) -> Routes:
    """Every endpoint with its handler."""
    routes = Routes(services)
    routes.on(endpoints.captcha, captcha.captcha)
    routes.on(endpoints.get_sms_code, verification.get_sms_code)
    routes.on(endpoints.get_email_code, verification.get_email_code)
    routes.on(endpoints.code_login, login.code_login)
    routes.on(endpoints.email_login, login.email_login)
    routes.on(endpoints.logout, login.logout)
    routes.on(endpoints.own_info, profiles.own_info)
    routes.on(endpoints.get_user, profiles.get_user)
    return routes
