"""What stands in for torch where there is no GPU: the calls that preflight makes, answered from FAKE_TORCH.

Written as `torch.py` beside a `sitecustomize.py` that gives /dev/shm another size; the words of the
variable are those of `DEFAULT`.
"""

from __future__ import annotations

from typing import Any

# Two A100 of 40 GiB under a driver as new as torch's CUDA.
DEFAULT: dict[str, Any] = {
    "count": 2,
    "names": ["A100", "A100", "A100"],
    "capability": [8, 0],
    "built": ["sm_75", "sm_80", "sm_86", "sm_90"],
    "free": 39,
    "total": 39.4,
    "peers": True,
    "driver": 13000,
    "cuda": "13.0",
    "hip": None,
    "arch": "",
    "broken": "",
    "shm": 8192,
}

TORCH = """
import json, os, types
said = json.loads(os.environ["FAKE_TORCH"])
if said["broken"] == "import":
    raise ImportError("libcudart.so.13: cannot open shared object file")
__version__ = "2.13.0"
version = types.SimpleNamespace(cuda=None if said["hip"] else said["cuda"], hip=said["hip"])
_C = types.SimpleNamespace(_cuda_getDriverVersion=lambda: said["driver"])
def count():
    if said["broken"] == "call":
        raise RuntimeError("CUDA error: no device")
    return said["count"]
cuda = types.SimpleNamespace(
    device_count=count,
    get_device_name=lambda index: said["names"][index],
    get_device_capability=lambda index: tuple(said["capability"]),
    get_device_properties=lambda index: types.SimpleNamespace(gcnArchName=said["arch"]),
    get_arch_list=lambda: said["built"],
    mem_get_info=lambda index: (int(said["free"] * 2**30), int(said["total"] * 2**30)),
    can_device_access_peer=lambda a, b: said["peers"],
)
"""

SITECUSTOMIZE = """
import json, os, types
found, size = os.statvfs, json.loads(os.environ["FAKE_TORCH"])["shm"] * 2**20
def statvfs(path):
    return types.SimpleNamespace(f_bavail=size, f_frsize=1) if path == "/dev/shm" else found(path)
os.statvfs = statvfs
"""
