# SPDX-License-Identifier: MIT
"""Programs and patterns as people read them.

Only pictures are made here: nothing is judged, and whatever operation or
pattern is not known is shown as it is written, never left out.
"""

from plumbline.rendering._javascript import javascript
from plumbline.rendering._pattern import pattern_text
from plumbline.rendering._vocabulary import vocabulary

__all__ = ["javascript", "pattern_text", "vocabulary"]
