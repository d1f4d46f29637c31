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
    """One change to one file and the finding that it must cause; no `rule`: silence."""

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

    def apply(self, root: Path) -> None:
        """Makes the change in the repository at `root`; no `old`: lines at the end. `{soon}` is a day next week."""
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

FAULTS: tuple[Edit, ...] = (
    # GPU
    Edit("gpu-limit-removed", DEPLOYMENT, GPU_LIMIT, "", "GPU001", "limits:"),
    Edit("gpu-limit-fraction", DEPLOYMENT, GPU_LIMIT, GPU_LIMIT.replace('"2"', '"1.5"'), "GPU001", '"1.5"'),
    Edit("gpu-limit-zero", DEPLOYMENT, GPU_LIMIT, GPU_LIMIT.replace('"2"', '"0"'), "GPU001", '"0"'),
    Edit("gpu-request-differs", DEPLOYMENT, GPU_REQUEST, GPU_REQUEST.replace('"2"', '"1"'), "GPU001", 'gpu: "1"'),
    Edit("tensor-parallel-dev", release("dev"), "tensor-parallel-size: 2", "tensor-parallel-size: 4", "GPU002", "tensor-parallel-size", ("dev",)),
    Edit("tensor-parallel-prod", release("prod"), "tensor-parallel-size: 2", "tensor-parallel-size: 1", "GPU002", "tensor-parallel-size", ("prod",)),
    Edit("pipeline-parallel", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --pipeline-parallel-size=2\n", "GPU002", 'gpu: "2"', nth=2),
    Edit("second-engine-post-start", DEPLOYMENT, "            preStop:\n", '            postStart:\n              exec:\n                command: ["vllm", "serve", "warm"]\n            preStop:\n', "GPU003", '"warm"'),
    Edit("devices-by-env", DEPLOYMENT, SERVER_ENV, SERVER_ENV + "            - name: NVIDIA_VISIBLE_DEVICES\n              value: all\n", "GPU004", "value: all"),
    Edit("cuda-devices-by-env", DEPLOYMENT, SERVER_ENV, SERVER_ENV + '            - name: CUDA_VISIBLE_DEVICES\n              value: "0"\n', "GPU004", 'value: "0"'),
    Edit("shm-not-mounted", DEPLOYMENT, "            - name: shm\n              mountPath: /dev/shm\n", "", "GPU005", "volumeMounts:"),
    Edit("shm-on-disk", DEPLOYMENT, "            medium: Memory\n", "", "GPU005", "emptyDir:", nth=3),
    Edit("shm-unbounded", DEPLOYMENT, "            medium: Memory\n            sizeLimit: 6Gi\n", "            medium: Memory\n", "GPU005", "emptyDir:", nth=3),
    Edit("shm-above-memory", DEPLOYMENT, "sizeLimit: 6Gi", "sizeLimit: 96Gi", "GPU005", "sizeLimit: 96Gi"),
    # CPU and memory
    Edit("memory-limit-removed", DEPLOYMENT, MEMORY + "96Gi\n              ephemeral", "limits:\n              ephemeral", "RES001", "limits:", severity="error"),
    Edit("cpu-request-removed", DEPLOYMENT, '              cpu: "16"\n', "", "RES001", "requests:"),
    Edit("memory-request-differs", PRELOAD, "limits:\n              memory: 8Gi", "limits:\n              memory: 9Gi", "RES001", "memory: 8Gi"),
    # Nodes
    Edit("toleration-value", DEPLOYMENT, "          value: present\n", "          value: absent\n", "SCH001", "value: absent"),
    Edit("tolerations-removed", DEPLOYMENT, "      tolerations:\n" + TOLERATION, "", "SCH001", "    spec:"),
    Edit("toleration-of-everything", DEPLOYMENT, TOLERATION, TOLERATION + "        - operator: Exists\n", "SCH002", "- operator: Exists"),
    Edit("accelerator-not-allowed", DEPLOYMENT, "nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB", "nvidia.com/gpu.product: Tesla-T4", "SCH003", "Tesla-T4", UPPER),
    Edit("no-accelerator-chosen", DEPLOYMENT, "      nodeSelector:\n        nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB\n", "", "SCH003", "    spec:", UPPER),
    Edit("preload-on-gpu-nodes", PRELOAD, "      restartPolicy: Never\n", "      restartPolicy: Never\n      tolerations:\n" + TOLERATION, "SCH004", "- key: nvidia.com/gpu", severity="warning"),
    # Probes and shutdown
    Edit("startup-below-budget", DEPLOYMENT, "failureThreshold: 60", "failureThreshold: 59", "PRB001", "failureThreshold: 59"),
    Edit("initial-delay", DEPLOYMENT, "            failureThreshold: 60\n", "            failureThreshold: 60\n            initialDelaySeconds: 300\n", "PRB001", "initialDelaySeconds"),
    Edit("readiness-path", DEPLOYMENT, "              path: /health\n              port: http\n            periodSeconds: 5", "              path: /ping\n              port: http\n            periodSeconds: 5", "PRB002", "/ping"),
    Edit("engine-port", DEPLOYMENT, "--port=8000", "--port=8001", "PRB002", "containerPort: 8000"),
    Edit("liveness-impatient", DEPLOYMENT, "failureThreshold: 9", "failureThreshold: 5", "PRB003", "failureThreshold: 5", UPPER, severity="warning"),
    Edit("liveness-timeout", DEPLOYMENT, "            periodSeconds: 10\n            timeoutSeconds: 5\n            failureThreshold: 9", "            periodSeconds: 10\n            timeoutSeconds: 1\n            failureThreshold: 9", "PRB003", "timeoutSeconds: 1", UPPER, severity="warning"),
    Edit("grace-too-short", DEPLOYMENT, "terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 75", "PRB004", "terminationGracePeriodSeconds", UPPER),
    Edit("requests-aborted", DEPLOYMENT, "            # Without it SIGTERM aborts requests in flight.\n            - --shutdown-timeout=60\n", "", "PRB004", "args:", UPPER),
    Edit("no-pre-stop", DEPLOYMENT, "              sleep:\n                seconds: 15\n", "              sleep:\n                seconds: 0\n", "PRB004", "preStop:", UPPER),
    # Images and model
    Edit("latest", release("dev", "kustomization.yaml"), "newTag: v0.32.0", "newTag: latest", "IMG001", "newTag: latest", ("dev",)),
    Edit("foreign-image", release("prod", "kustomization.yaml"), "newName: docker.io/vllm/vllm-openai", "newName: docker.io/someone/vllm-openai", "IMG002", "newName", ("prod",)),
    Edit("revision-is-a-branch", release("canary"), '"40c069824f4251a91eefaf281ebe4c544efd3e18"', '"main"', "MDL001", "revision:", ("canary",)),
    Edit("revision-is-a-branch-dev", release("dev"), '"40c069824f4251a91eefaf281ebe4c544efd3e18"', '"main"', "MDL001", "revision:", ("dev",), severity="warning"),
    Edit("remote-code", release("prod"), "gpu-memory-utilization: 0.9", "gpu-memory-utilization: 0.9\ntrust-remote-code: true", "MDL001", "trust-remote-code", ("prod",)),
    Edit("server-not-offline", DEPLOYMENT, SERVER_ENV, "", "MDL001", "env:", severity="error"),
    Edit(
        "offline-deleted-by-a-patch",
        overlay("prod", "spread.yaml"),
        "    spec:\n",
        "    spec:\n      containers:\n        - name: vllm\n          env:\n            - name: HF_HUB_OFFLINE\n"
        "              $patch: delete\n",
        "MDL001",
        "$patch: delete",
        ("prod",),
    ),
    # Security context
    Edit("privilege-escalation", DEPLOYMENT, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "SEC001", "allowPrivilegeEscalation"),
    Edit("capabilities-kept", DEPLOYMENT, '              drop: ["ALL"]\n', '              drop: ["NET_RAW"]\n', "SEC001", "NET_RAW"),
    Edit("root-user", PRELOAD, "runAsNonRoot: true", "runAsNonRoot: false", "SEC001", "runAsNonRoot"),
    Edit("no-seccomp", DEPLOYMENT, "        seccompProfile:\n          type: RuntimeDefault\n", "", "SEC001", "securityContext:"),
    Edit("host-network", DEPLOYMENT, "      enableServiceLinks: false\n", "      enableServiceLinks: false\n      hostNetwork: true\n", "SEC002", "hostNetwork"),
    Edit("host-path", PRELOAD, "        - name: tmp\n          emptyDir:\n            sizeLimit: 2Gi\n", "        - name: tmp\n          hostPath:\n            path: /tmp\n", "SEC002", "hostPath:"),
    Edit("privileged", DEPLOYMENT, CONTAINER_SECURITY, CONTAINER_SECURITY + "            privileged: true\n", "SEC002", "privileged: true"),
    Edit("root-writable", DEPLOYMENT, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "SEC003", "readOnlyRootFilesystem", UPPER),
    Edit("tmpdir-read-only", DEPLOYMENT, "              value: /tmp\n", "              value: /var/tmp\n", "SEC003", "/var/tmp", UPPER),
    Edit("home-unset", DEPLOYMENT, "            - name: HOME\n              value: /scratch\n", "", "SEC003", "env:", UPPER),
    # Secrets
    Edit("secret-in-git", SERVICE, "", "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: extra\n  labels:\n    app.kubernetes.io/name: qwen-chat\nstringData:\n  colour: blue\n", "KEY001", "stringData:"),
    Edit("secret-generator", overlay("dev"), "patches:\n", "secretGenerator:\n  - name: token\n    literals:\n      - token=abc\npatches:\n", "KEY002", "literals:", ("dev",)),
    Edit("token-in-env", DEPLOYMENT, SERVER_ENV, SERVER_ENV + f"            - name: HUB\n              value: {TOKEN}\n", "KEY003", TOKEN),
    Edit("token-in-config", release("prod"), "dtype: bfloat16", f"dtype: bfloat16\nhf-token: {TOKEN}", "KEY003", TOKEN, ("prod",)),
    Edit("api-key-in-args", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --api-key=swordfish\n", "KEY005", "--api-key", UPPER),
    Edit("hub-token-on-server", DEPLOYMENT, ENV, HF_TOKEN_ENV + "            # Protects /v1", "KEY005", "- name: HF_TOKEN", UPPER),
    # Network
    Edit("server-unselected", POLICIES, "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n", "  podSelector: {}\n  policyTypes: [Ingress]\n", "NET001", "policyTypes: [Ingress]"),
    Edit("internet-for-all", POLICIES, "  policyTypes: [Ingress]\n", "  policyTypes: [Ingress, Egress]\n  egress:\n    - to:\n        - ipBlock:\n            cidr: 0.0.0.0/0\n      ports:\n        - port: 443\n", "NET002", "cidr: 0.0.0.0/0"),
    Edit("no-dns-over-tcp", POLICIES, "        - protocol: TCP\n          port: 53\n", "", "NET003", "ports:"),
    # Storage
    Edit("claim-read-write-once", CACHE, "    - ReadWriteMany\n", "    - ReadWriteOnce\n", "PVC001", "accessModes:"),
    Edit("class-not-allowed", CACHE, 'storageClassName: "shared-rwx"', 'storageClassName: "fast-local"', "PVC001", "fast-local"),
    Edit("nobody-fills-the-cache", PRELOAD, "            - name: models\n              mountPath: /models\n", "            - name: models\n              mountPath: /models\n              readOnly: true\n", "PVC002", "readOnly: true", nth=3),
    # Autoscaler and cost
    Edit("replicas-beside-autoscaler", ROLLOUT, "spec:\n", "spec:\n  replicas: 2\n", "HPA001", "replicas: 2", UPPER),
    Edit("bounds-crossed", overlay("prod", "autoscaler-bounds.yaml"), "minReplicas: 2", "minReplicas: 4", "HPA002", "minReplicas: 4", ("prod",)),
    Edit("one-replica-in-prod", overlay("prod", "autoscaler-bounds.yaml"), "minReplicas: 2", "minReplicas: 1", "HPA002", "minReplicas: 1", ("prod",)),
    Edit("peak-above-budget", overlay("prod", "autoscaler-bounds.yaml"), "maxReplicas: 3", "maxReplicas: 4", "CST001", "maxReplicas: 4", ("prod",)),
    Edit("peak-above-budget-dev", overlay("dev", "replicas.yaml"), "replicas: 1", "replicas: 2", "CST001", "replicas: 2", ("dev",)),
    Edit("budget-lowered", SETTINGS, "    gpu_budget: 12\n", "    gpu_budget: 11\n", "CST001", "maxReplicas: 3", ("prod",), at=overlay("prod", "autoscaler-bounds.yaml")),
    Edit("quota-below-peak", overlay("canary", "gpu-quota.yaml"), '"8"', '"6"', "CST002", '"6"', ("canary",)),
    Edit("quota-above-budget", overlay("prod", "gpu-quota.yaml"), '"12"', '"13"', "CST002", '"13"', ("prod",)),
    Edit("cluster-too-small", SETTINGS, "  main: {gpus: 22}", "  main: {gpus: 21}", "CST003", "main: {gpus: 21}"),
    # References
    Edit("config-map-missing", DEPLOYMENT, "            name: qwen-chat-serve\n", "            name: qwen-chat-server\n", "REF001", "qwen-chat-server"),
    Edit("claim-missing", DEPLOYMENT, "claimName: qwen-chat-models", "claimName: qwen-chat-model", "REF001", "claimName"),
    Edit("secret-key-missing", SECRETS, "secretKey: api-key", "secretKey: apikey", "REF001", "key: api-key", at=DEPLOYMENT),
    Edit("account-missing", PRELOAD, "serviceAccountName: qwen-chat", "serviceAccountName: preload", "REF001", "serviceAccountName"),
    Edit("service-selects-nothing", SERVICE, "    app.kubernetes.io/component: server\n  ports", "    app.kubernetes.io/component: serving\n  ports", "REF002", "selector:"),
    Edit("target-port-missing", SERVICE, "targetPort: http", "targetPort: web", "REF002", "targetPort"),
    # Kustomize
    Edit("patch-without-match", overlay("prod"), "      kind: HTTPRoute\n", "      kind: HTTPRout\n", "KUS001", "- path: live-share.yaml", ("prod",)),
    Edit("image-without-match", release("dev", "kustomization.yaml"), "images:\n", "images:\n  - name: vllm-opena\n    newTag: v1\n", "KUS001", "- name: vllm-opena", ("dev",)),
    Edit("patch-without-effect", overlay("dev"), "  - path: replicas.yaml\n", "  - path: replicas.yaml\n  - patch: |-\n      apiVersion: v1\n      kind: Service\n      metadata:\n        name: qwen-chat\n      spec:\n        type: ClusterIP\n", "KUS001", "- patch: |-", ("dev",)),
    # Exemptions
    Edit("exemption-without-owner", SETTINGS, '    object: Deployment/qwen-chat\n    environments: [canary, prod]\n    reason: The image is not pinned yet; lockgate pin writes its digest into the release.\n    owner: "ml-platform"\n', "    object: Deployment/qwen-chat\n    environments: [canary, prod]\n    reason: The image is not pinned yet; lockgate pin writes its digest into the release.\n", "EXM001", "- rule: IMG001", UPPER),
    Edit("exemption-unused", SETTINGS, "exemptions:\n", 'exemptions:\n  - {rule: GPU001, object: Deployment/qwen-chat, environments: [dev], reason: a test, owner: ml-platform, expires: "{soon}"}\n', "EXM001", "rule: GPU001", ("dev",), severity="warning"),
)

# Right as they are, or not for a checker to judge: the traps that other checkers fall into.
SILENT: tuple[Edit, ...] = (
    Edit("comment-only", DEPLOYMENT, "spec:\n  # No replicas", "spec:\n  # A note.\n  # No replicas"),
    Edit("gpu-by-limit-only", DEPLOYMENT, GPU_REQUEST, GPU_REQUEST.replace('              nvidia.com/gpu: "2"\n', "")),
    Edit("gpu-as-a-number", DEPLOYMENT, GPU_LIMIT, GPU_LIMIT.replace('"2"', "2")),
    Edit("cpu-in-milli", PRELOAD, 'cpu: "2"', "cpu: 2000m"),
    Edit("memory-in-another-unit", PRELOAD, "limits:\n              memory: 8Gi", "limits:\n              memory: 8192Mi"),
    Edit("cpu-limit-is-a-choice", PRELOAD, "limits:\n              memory: 8Gi", 'limits:\n              cpu: "4"\n              memory: 8Gi'),
    Edit("tensor-parallel-said-twice", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --tensor-parallel-size=2\n"),
    Edit("tensor-parallel-short-flag", DEPLOYMENT, "            - --port=8000\n", '            - --port=8000\n            - -tp\n            - "2"\n'),
    Edit("tensor-parallel-unknown", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --tensor-parallel-size=$(TP)\n"),
    Edit("startup-twenty-minutes", DEPLOYMENT, "failureThreshold: 60", "failureThreshold: 120"),
    Edit("startup-exactly-the-budget", DEPLOYMENT, "            periodSeconds: 10\n            timeoutSeconds: 5\n            failureThreshold: 60", "            periodSeconds: 60\n            timeoutSeconds: 5\n            failureThreshold: 10"),
    Edit("grace-of-ten-minutes", DEPLOYMENT, "terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 600"),
    Edit("grace-just-enough", DEPLOYMENT, "terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 76"),
    Edit("liveness-just-enough", DEPLOYMENT, "failureThreshold: 9", "failureThreshold: 6"),
    Edit("pull-policy", DEPLOYMENT, "          image: vllm-openai\n", "          image: vllm-openai\n          imagePullPolicy: IfNotPresent\n"),
    Edit("another-revision", release("dev"), "40c069824f4251a91eefaf281ebe4c544efd3e18", "0123456789abcdef0123456789abcdef01234567"),
    Edit("digest-in-dev", release("dev", "kustomization.yaml"), "newTag: v0.32.0", "newTag: v0.32.0\n    digest: sha256:" + "0123456789abcdef" * 4),
    Edit("checksum-annotation", SERVICE, "  labels:\n", "  annotations:\n    checksum/config: " + "0123456789abcdef" * 4 + "\n  labels:\n"),
    Edit("key-from-a-secret", DEPLOYMENT, SERVER_ENV, SERVER_ENV + "            - name: OPENAI_API_KEY\n              valueFrom:\n                secretKeyRef: {name: other, key: sk-openai, optional: true}\n"),
    Edit("optional-config-map", DEPLOYMENT, "          resources:\n            # No CPU limit", "          envFrom:\n            - configMapRef: {name: extra, optional: true}\n          resources:\n            # No CPU limit"),
    Edit("dns-on-every-port", POLICIES, "      ports:\n        - protocol: UDP\n          port: 53\n        - protocol: TCP\n          port: 53\n", ""),
    Edit("security-said-by-the-container-too", DEPLOYMENT, CONTAINER_SECURITY, CONTAINER_SECURITY + "            runAsNonRoot: true\n"),
    Edit("prefix-in-dev", overlay("dev"), "namespace: qwen-chat-dev\n", "namespace: qwen-chat-dev\nnamePrefix: a-\n"),
    Edit("annotations-in-dev", overlay("dev"), "namespace: qwen-chat-dev\n", "namespace: qwen-chat-dev\ncommonAnnotations:\n  contact: ml-platform\n"),
    Edit("rolling-without-surge", DEPLOYMENT, "    type: Recreate\n", "    type: RollingUpdate\n    rollingUpdate: {maxSurge: 0, maxUnavailable: 1}\n"),
    Edit("budget-with-room", SETTINGS, "    gpu_budget: 12\n", "    gpu_budget: 16\n"),
)
