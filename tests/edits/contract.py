"""Faults of what vLLM and Prometheus understand: flags, variables, metrics."""

from __future__ import annotations

from edits.model import DEPLOYMENT, SERVER_ENV, Edit, release

PORT = "            - --port=8000\n"

FAULTS: tuple[Edit, ...] = (
    # Flags and variables
    Edit("flag-that-never-was", DEPLOYMENT, PORT, PORT + "            - --max-batch-tokens=8192\n", "VLM001", "--max-batch-tokens"),
    Edit("flag-that-went-away", DEPLOYMENT, PORT, PORT + "            - --swap-space=4\n", "VLM001", "--swap-space"),
    Edit("flag-of-another-type", release("canary"), "gpu-memory-utilization: 0.9", "gpu-memory-utilization: 0.9\nmax-num-seqs: many", "VLM001", "max-num-seqs", ("canary",)),
    Edit("no-such-choice", release("prod"), "dtype: bfloat16", "dtype: bf16", "VLM001", "dtype:", ("prod",)),
    Edit("key-that-went-away", release("dev"), "dtype: bfloat16", "dtype: bfloat16\ndisable-log-requests: true", "VLM001", "disable-log-requests", ("dev",)),
    Edit("switch-with-a-value", release("prod"), "dtype: bfloat16", 'dtype: bfloat16\nenable-prefix-caching: "yes"', "VLM001", "enable-prefix-caching", ("prod",)),
    Edit("file-in-one-word", DEPLOYMENT, "            - --config\n            - /etc/vllm/serve.yaml\n", "            - --config=/etc/vllm/serve.yaml\n", "VLM001", "- --config="),
    Edit("variable-without-effect", DEPLOYMENT, SERVER_ENV, SERVER_ENV + "            - name: VLLM_LOGING_LEVEL\n              value: DEBUG\n", "VLM001", "VLLM_LOGING_LEVEL", severity="warning"),
)

SILENT: tuple[Edit, ...] = (
    Edit("flag-begun", DEPLOYMENT, PORT, PORT + "            - --max-num-batched=8k\n"),
    Edit("flag-with-underscores", DEPLOYMENT, PORT, PORT + "            - --max_num_seqs=128\n"),
    Edit("flag-of-a-mapping", DEPLOYMENT, PORT, PORT + "            - --compilation-config.mode=3\n"),
    Edit("switch-off-in-the-file", release("prod"), "dtype: bfloat16", "dtype: bfloat16\nenable-prefix-caching: false"),
    Edit("variable-of-the-pod-itself", DEPLOYMENT, SERVER_ENV, SERVER_ENV + '            - name: VLLM_OWN\n              value: "1"\n            - name: OTHER\n              value: $(VLLM_OWN)\n'),
)
