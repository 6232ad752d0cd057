"""Doctor: the checklists of a deployment as checks.

In: the catalog that a command would use, and the settings of this process. Out: one `Check` after the other, none of
which prevents the others. Must not know: how checks are printed. It changes nothing: no catalog is created or migrated.
"""

from .model import Check, Stage, Status, Target
from .run import diagnose

__all__ = ["Check", "Stage", "Status", "Target", "diagnose"]
