"""The faults that the programs of serving/ are tried with, and how each ends: test_*.py runs every row.

docs/serving.md shows the same rows; tests/serving/test_fault_table.py compares.
"""

from __future__ import annotations

from serving.faults.entrypoint import ENTRYPOINT
from serving.faults.pin import PIN
from serving.faults.preflight import PREFLIGHT
from serving.faults.preload import PRELOAD
from serving.faults.preload_oci import PRELOAD_OCI
from serving.faults.preload_s3 import PRELOAD_S3
from serving.faults.row import Row
from serving.faults.smoke import SMOKE

__all__ = ["ENTRYPOINT", "PIN", "PREFLIGHT", "PRELOAD", "PRELOAD_OCI", "PRELOAD_S3", "SMOKE", "Row"]
