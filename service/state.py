"""What every route works with, put together when the app is."""

from dataclasses import dataclass

from fastapi import Request

from service.admission import Admission
from service.keys import Keys
from service.rebuilding import Rebuilds
from service.replying import Answerer
from service.served import Collections
from service.settings import Settings
from service.watching.recording import Recorder


@dataclass(frozen=True, slots=True)
class State:
    settings: Settings
    collections: Collections
    answerer: Answerer
    recorder: Recorder
    rebuilds: Rebuilds
    admission: Admission
    keys: Keys

    def hurry(self) -> None:
        """The service ends: what is not answered yet is answered with what there is."""
        self.admission.hurry()
        self.answerer.hurry()

    def base(self, request: Request) -> str:
        """Where readers reach the service."""
        return self.settings.public_url or str(request.base_url)


def state(request: Request) -> State:
    found: State = request.app.state.dateline
    return found
