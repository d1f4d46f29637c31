"""Faults of security contexts and secrets."""

from __future__ import annotations

from edits.model import (
    CONTAINER_SECURITY,
    DEPLOYMENT,
    ENV,
    HF_TOKEN_ENV,
    PRELOAD,
    SERVER_ENV,
    SERVICE,
    TOKEN,
    UPPER,
    Edit,
    overlay,
    release,
)

FAULTS: tuple[Edit, ...] = (
    # Security context
    Edit("privilege-escalation", DEPLOYMENT, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "SEC001", "allowPrivilegeEscalation"),
    Edit("capabilities-kept", DEPLOYMENT, '              drop: ["ALL"]\n', '              drop: ["NET_RAW"]\n', "SEC001", "NET_RAW"),
    Edit("root-user", PRELOAD, "runAsNonRoot: true", "runAsNonRoot: false", "SEC001", "runAsNonRoot"),
    Edit("no-seccomp", DEPLOYMENT, "        seccompProfile:\n          type: RuntimeDefault\n", "", "SEC001", "securityContext:"),
    Edit("host-network", DEPLOYMENT, "      enableServiceLinks: false\n", "      enableServiceLinks: false\n      hostNetwork: true\n", "SEC002", "hostNetwork"),
    Edit("host-path", PRELOAD, "        - name: tmp\n          emptyDir:\n            sizeLimit: 2Gi\n", "        - name: tmp\n          hostPath:\n            path: /tmp\n", "SEC002", "hostPath:"),
    Edit("privileged", DEPLOYMENT, CONTAINER_SECURITY, CONTAINER_SECURITY + "            privileged: true\n", "SEC002", "privileged: true"),
    Edit("root-writable", DEPLOYMENT, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "SEC003", "readOnlyRootFilesystem", UPPER),
    Edit("tmpdir-read-only", DEPLOYMENT, "              value: /tmp\n", "              value: /var/tmp\n", "VLM004", "/var/tmp"),
    Edit("home-unset", DEPLOYMENT, "            - name: HOME\n              value: /scratch\n", "", "VLM004", "env:"),
    # Secrets
    Edit("secret-in-git", SERVICE, "", "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: extra\n  labels:\n    app.kubernetes.io/name: qwen-chat\nstringData:\n  colour: blue\n", "KEY001", "stringData:"),
    Edit("secret-generator", overlay("dev"), "patches:\n", "secretGenerator:\n  - name: token\n    literals:\n      - token=abc\npatches:\n", "KEY002", "literals:", ("dev",)),
    Edit("token-in-env", DEPLOYMENT, SERVER_ENV, SERVER_ENV + f"            - name: HUB\n              value: {TOKEN}\n", "KEY003", TOKEN),
    Edit("token-in-config", release("prod"), "dtype: bfloat16", f"dtype: bfloat16\nhf-token: {TOKEN}", "KEY003", TOKEN, ("prod",)),
    Edit("api-key-in-args", DEPLOYMENT, "            - --port=8000\n", "            - --port=8000\n            - --api-key=swordfish\n", "KEY005", "--api-key", UPPER),
    Edit("hub-token-on-server", DEPLOYMENT, ENV, HF_TOKEN_ENV + "            # Protects /v1", "KEY005", "- name: HF_TOKEN", UPPER),
)
