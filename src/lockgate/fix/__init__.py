"""`lockgate check --fix`: findings with one right answer are mended where they were written.

A rule gives the answer (`fix` of its result), the trace the place, `edits` the new text, and `mend`
proves on a copy that the edit did this and nothing else before a file of the person's is touched.
"""

from __future__ import annotations

from lockgate.fix.mend import Mended, mend

__all__ = ["Mended", "mend"]
