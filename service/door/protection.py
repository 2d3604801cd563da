"""What stands before the routes, outermost first: headers, foreign pages, bugs, wrong heads, names, keys."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from service.door.access import KeyGuard
from service.door.headers import SecurityHeaders
from service.door.origins import OriginGuard
from service.door.wellformed import WellFormed
from service.problems import BugsAnswered
from service.state import State


def protect(app: FastAPI, here: State) -> None:
    """Puts it there; what is added later stands in front of it, so it is to come late."""
    app.add_middleware(KeyGuard, keys=here.keys)
    app.add_middleware(OriginGuard, settings=here.settings, keys=here.keys)
    app.add_middleware(WellFormed)
    app.add_middleware(BugsAnswered)
    if here.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=here.settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Retry-After", "WWW-Authenticate", "X-Request-Id"],
            max_age=600,
        )
    app.add_middleware(SecurityHeaders)
