"""Single edits to a generated repository: what each breaks, and the line that must be blamed.

An edit replaces one text that stands exactly once in its file. The blamed line is named by text
that stands on it; `nth` says which one when several lines hold it.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TODAY = datetime.datetime.now(tz=datetime.UTC).date()
ALL = ("dev", "canary", "prod")
UPPER = ("canary", "prod")

DEPLOYMENT = "base/deployment.yaml"
PRELOAD = "base/preload.yaml"
POLICIES = "base/network-policies.yaml"
CACHE = "base/model-cache.yaml"
SERVICE = "base/service.yaml"
BASE = "base/kustomization.yaml"
SETTINGS = "lockgate.yaml"
ROLLOUT = "components/progressive/rollout.yaml"
SECRETS = "components/external-secrets/external-secrets.yaml"


@dataclass(frozen=True)
class Edit:
    """One change to one file and the finding that it must cause; no `rule`: silence.

    `before` is a change that is right by itself and is made first: some faults need two.
    """

    id: str
    file: str
    old: str
    new: str
    rule: str = ""
    line: str = ""
    environments: tuple[str, ...] = ALL
    at: str = ""
    nth: int = 1
    severity: str = "error"
    before: Edit | None = None

    def apply(self, root: Path) -> None:
        """Makes the change in the repository at `root`; no `old`: lines at the end. `{soon}` is a day next week."""
        if self.before is not None:
            self.before.apply(root)
        path = root / self.file
        new = self.new.replace("{soon}", f"{TODAY + datetime.timedelta(days=7)}")
        text = path.read_text()
        if self.old:
            count = text.count(self.old)
            assert count == 1, f"{self.id}: {self.old!r} stands {count} times in {self.file}"
            path.write_text(text.replace(self.old, new))
        else:
            path.write_text(text + new)

    def place(self, root: Path) -> tuple[str, int]:
        """File and line that the finding must name, in the changed repository."""
        file = self.at or self.file
        lines = (root / file).read_text().splitlines()
        found = [number for number, text in enumerate(lines, 1) if self.line in text]
        assert len(found) >= self.nth, f"{self.id}: {self.line!r} stands {len(found)} times in {file}"
        return file, found[self.nth - 1]


def release(environment: str, file: str = "serve.yaml") -> str:
    return f"overlays/{environment}/release/{file}"


def overlay(environment: str, file: str = "kustomization.yaml") -> str:
    return f"overlays/{environment}/{file}"


GPU_LIMIT = '              # Equal to tensor-parallel-size of the release.\n              nvidia.com/gpu: "2"\n'
GPU_REQUEST = 'ephemeral-storage: 16Gi\n              nvidia.com/gpu: "2"\n            limits'
MEMORY = "limits:\n              memory: "
ENV = "          env:\n            # Protects /v1"
SERVER_ENV = '            - name: HF_HUB_OFFLINE\n              value: "1"\n'
TOLERATION = "        - key: nvidia.com/gpu\n          operator: Equal\n          value: present\n          effect: NoSchedule\n"
CONTAINER_SECURITY = "            allowPrivilegeEscalation: false\n            readOnlyRootFilesystem: true\n"
HF_TOKEN_ENV = """          env:
            - name: HF_TOKEN
              valueFrom:
                secretKeyRef:
                  name: qwen-chat-hf-token
                  key: token
"""
TOKEN = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"
