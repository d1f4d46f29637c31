"""Edits that are right as they are, or not for a checker to judge: the traps that other checkers fall into."""

from __future__ import annotations

from edits.model import (
    CONTAINER_SECURITY,
    DEPLOYMENT,
    GPU_LIMIT,
    GPU_REQUEST,
    POLICIES,
    PRELOAD,
    SERVER_ENV,
    SERVICE,
    SETTINGS,
    Edit,
    overlay,
    release,
)

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
