"""How running answers choose their next tokens: settings of a request, state of a sequence, and one choice for all."""

from llamafarm_universal.host.engines.text.sampling.sample import Choice, sample
from llamafarm_universal.host.engines.text.sampling.sampler import Sampler
from llamafarm_universal.host.engines.text.sampling.scores import Scores
from llamafarm_universal.host.engines.text.sampling.settings import MAX_LOGPROBS, Settings, settle

__all__ = ["MAX_LOGPROBS", "Choice", "Sampler", "Scores", "Settings", "sample", "settle"]
