"""What a question asks for: made whole by the turns before it, its days and speakers read."""

from service.asking.conversation import Turn
from service.asking.understanding import Asked, Understood, understand

__all__ = ["Asked", "Turn", "Understood", "understand"]
