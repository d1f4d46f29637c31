"""Faults of the pods: GPUs, memory, nodes, probes."""

from __future__ import annotations

from edits.model import (
    DEPLOYMENT,
    GPU_LIMIT,
    GPU_REQUEST,
    MEMORY,
    PRELOAD,
    SERVER_ENV,
    TOLERATION,
    UPPER,
    Edit,
    release,
)

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
)
