"""Linear layers of a loaded model in the form that this processor computes fastest.

`accelerate` is the way in: it watches a short run of the model (`watch`, `probe`), exchanges its linear layers for the
forms (`packed`, `plain`, …) that a trial on this very processor has found fastest (`trial`, `record`, `choice`), and
undoes what changes the model's answers. No architecture is known by name.
"""

from llamafarm_universal.host.models.linears.form import bytes_of_forms
from llamafarm_universal.host.models.linears.half import bf16_pays
from llamafarm_universal.host.models.linears.replace import Accelerated, accelerate

__all__ = ["Accelerated", "accelerate", "bf16_pays", "bytes_of_forms"]
