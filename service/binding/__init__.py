"""What a model wrote, bound to verbatim quotes of the passages that it was given. No I/O.

English: words, negations and speakers are known by lists and rules. What is written in another language
passes where it is whole sentences of a passage, and hardly else.
"""

from service.binding.binder import Binder
from service.binding.splitting import Sentences

__all__ = ["Binder", "Sentences"]
