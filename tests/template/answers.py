"""The one table of answers that every test of the template reads.

`SUPPORTED`: id -> answers that differ from the defaults; each must generate, build and pass the
gate. `REFUSED`: id -> answers and the sentences that refuse them, all of them, in order.
"""

from __future__ import annotations

REVISION = "1" * 40

LLAMA_8B = {"model_id": "meta-llama/Llama-3.1-8B-Instruct", "model_revision": REVISION}
LLAMA_70B = {"model_id": "meta-llama/Llama-3.3-70B-Instruct", "model_revision": REVISION}
QWEN_4B = {"model_id": "Qwen/Qwen3-4B", "model_revision": REVISION}

SUPPORTED: dict[str, dict[str, str]] = {
    "default": {},
    "another-name": {
        "project": "chat-7",
        "display_name": 'Chat "seven": <the> #1 & {{ only }}',
        "owner": "Team_A.b",
        "repository_url": "git@git.example.com:team/chat-7.git",
        "image_registry": "mirror.example.com:5000/hub",
        "secret_store": "vault.team-a",
        "storage_class": "files.example.com",
        "storage_size": "1Ti",
    },
    "longest-name": {"project": "a" + "b" * 53 + "c"},
    "just-fits-one-gpu": {"tensor_parallel": "1", "max_model_len": "32768"},
    "t4-float16-one-gpu": {
        **QWEN_4B,
        "accelerator": "t4",
        "dtype": "float16",
        "tensor_parallel": "1",
        "max_model_len": "8192",
    },
    "l4-fp8-one-gpu": {
        **LLAMA_8B,
        "accelerator": "l4",
        "quantization": "fp8",
        "tensor_parallel": "1",
        "max_model_len": "16384",
    },
    "a10g-awq": {
        "model_id": "Qwen/Qwen3-14B-AWQ",
        "model_revision": REVISION,
        "accelerator": "a10g",
        "quantization": "awq",
        "dtype": "float16",
        "tensor_parallel": "1",
        "max_model_len": "16384",
    },
    "l40s-gptq": {
        "model_id": "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4",
        "model_revision": REVISION,
        "accelerator": "l40s",
        "quantization": "gptq",
        "dtype": "float16",
        "tensor_parallel": "1",
    },
    "a100-80gb-four-gpus": {
        **LLAMA_70B,
        "accelerator": "a100-80gb",
        "tensor_parallel": "4",
        "storage_size": "200Gi",
    },
    "h100-eight-gpus": {
        **LLAMA_70B,
        "accelerator": "h100-80gb",
        "tensor_parallel": "8",
        "max_model_len": "131072",
        "storage_size": "200Gi",
        "canary_max_replicas": "1",
        "prod_max_replicas": "2",
    },
    "h200-fp8": {
        **LLAMA_70B,
        "accelerator": "h200-141gb",
        "quantization": "fp8",
        "tensor_parallel": "1",
        "storage_size": "200Gi",
    },
    "b200": {"accelerator": "b200-180gb", "tensor_parallel": "1", "max_model_len": "40960"},
    "mi300x": {**LLAMA_70B, "accelerator": "mi300x-192gb", "tensor_parallel": "2", "storage_size": "200Gi"},
    "single-replica": {"canary_max_replicas": "1", "prod_min_replicas": "2", "prod_max_replicas": "2"},
    "model-outside-the-catalogue": {
        "model_id": "acme/llm-7b",
        "model_revision": REVISION,
        "served_name": "acme",
    },
    "older-versions": {"kubernetes_version": "1.30", "vllm_version": "0.18.0"},
}

REFUSED: dict[str, tuple[dict[str, str], list[str]]] = {
    "the-classic": (
        {"prod_max_replicas": "4", "prod_gpu_budget": "4"},
        [
            (
                "prod_gpu_budget is 4 GPUs, but 4 pods alone ask 4 x 2 = 8 GPUs, and at promotion, "
                "when the stable pods stay whole beside the new ones, 2 x 4 x 2 = 16"
            )
        ],
    ),
    "peak-one-above-the-budget": (
        {"canary_max_replicas": "2", "canary_gpu_budget": "7"},
        [
            (
                "canary_gpu_budget is 7 GPUs, but 2 pods ask 2 x 2 = 4 GPUs, and at promotion, "
                "when the stable pods stay whole beside the new ones, 2 x 2 x 2 = 8"
            )
        ],
    ),
    "dev-above-the-budget": (
        {"dev_replicas": "1", "dev_gpu_budget": "1"},
        ["dev_gpu_budget is 1 GPUs, but 1 pod asks 1 x 2 = 2 GPUs"],
    ),
    "project-no-label": (
        {"project": "Qwen_Chat", "dev_host": "a.b", "canary_host": "c.b", "prod_host": "d.b"},
        [
            (
                "project must be a DNS-1123 label: lower-case letters, digits and '-', "
                "a letter or digit at both ends; found 'Qwen_Chat'"
            )
        ],
    ),
    "project-too-long": (
        {"project": "a" * 56},
        [f"project may have 55 characters, since '-preload' is added to it; found 56: {'a' * 56!r}"],
    ),
    "host-no-subdomain": (
        {"prod_host": "chat_prod.example.com", "dev_host": "localhost"},
        [
            "dev_host must be a DNS-1123 subdomain such as chat.example.com; found 'localhost'",
            "prod_host must be a DNS-1123 subdomain such as chat.example.com; found 'chat_prod.example.com'",
        ],
    ),
    "one-host-for-two": (
        {"dev_host": "a.example.com", "canary_host": "a.example.com"},
        ["dev_host, canary_host and prod_host must differ; found a.example.com, a.example.com, qwen-chat.example.com"],
    ),
    "revision-a-branch": (
        {"model_revision": "main"},
        ["model_revision must be a commit of 40 hexadecimal digits; found 'main'"],
    ),
    "revision-of-another-model": (
        {"model_id": "Qwen/Qwen3-8B"},
        ["model_revision 40c069824f4251a91eefaf281ebe4c544efd3e18 is a commit of Qwen/Qwen3-14B, not of Qwen/Qwen3-8B"],
    ),
    "no-numbers": (
        {"tensor_parallel": "two", "prod_max_replicas": "0", "dev_replicas": "-1", "max_model_len": "32k"},
        [
            "tensor_parallel must be a whole number of 1 or more; found 'two'",
            "max_model_len must be a whole number of 1 or more; found '32k'",
            "dev_replicas must be a whole number of 1 or more; found '-1'",
            "prod_max_replicas must be a whole number of 1 or more; found '0'",
            "dev_gpu_budget must be a whole number of 1 or more; found '0'",
            "canary_gpu_budget must be a whole number of 1 or more; found '0'",
            "prod_gpu_budget must be a whole number of 1 or more; found '0'",
        ],
    ),
    "heads-not-divided": (
        {"tensor_parallel": "3"},
        ["tensor_parallel 3 does not divide the 40 heads of Qwen/Qwen3-14B (40 / 3 = 13 rest 1)"],
    ),
    "kv-heads-not-divided": (
        {"tensor_parallel": "5"},
        ["tensor_parallel 5 neither divides the 8 KV heads of Qwen/Qwen3-14B nor is a multiple of them"],
    ),
    "bfloat16-on-a-t4": (
        {**QWEN_4B, "accelerator": "t4", "tensor_parallel": "1", "max_model_len": "8192"},
        ["dtype bfloat16 needs compute capability 8.0, NVIDIA T4 16 GB has 7.5: answer float16"],
    ),
    "fp8-on-an-a100": (
        {"quantization": "fp8"},
        [
            (
                "quantization fp8 needs compute capability 8.9 or an MI300X, NVIDIA A100 40 GB has 8.0: "
                "answer one of none, awq, gptq"
            )
        ],
    ),
    "awq-on-amd": (
        {
            "model_id": "Qwen/Qwen3-14B-AWQ",
            "model_revision": REVISION,
            "accelerator": "mi300x-192gb",
            "quantization": "awq",
            "dtype": "float16",
        },
        [
            (
                "quantization awq needs compute capability 7.5 of an NVIDIA GPU, "
                "AMD Instinct MI300X 192 GB has gfx942: answer one of none, fp8"
            )
        ],
    ),
    "awq-in-bfloat16": (
        {"model_id": "Qwen/Qwen3-14B-AWQ", "model_revision": REVISION, "quantization": "awq"},
        ["quantization awq computes in float16 only; found dtype bfloat16"],
    ),
    "awq-of-plain-weights": (
        {"quantization": "awq", "dtype": "float16"},
        ["quantization awq needs awq weights; Qwen/Qwen3-14B holds bfloat16"],
    ),
    "fp8-of-awq-weights": (
        {
            "model_id": "Qwen/Qwen3-14B-AWQ",
            "model_revision": REVISION,
            "accelerator": "h100-80gb",
            "quantization": "fp8",
        },
        ["quantization fp8 does not fit Qwen/Qwen3-14B-AWQ, whose weights are awq"],
    ),
    "weights-above-the-memory": (
        {**LLAMA_70B, "storage_size": "200Gi"},
        [
            (
                "meta-llama/Llama-3.3-70B-Instruct does not fit 2 x NVIDIA A100 40 GB: "
                "weights 131.4 GiB + KV cache of 32768 tokens 10.0 GiB + overhead 2 x 2 GiB "
                "make 145.4 GiB, but there are 2 x 39 GiB x 0.9 = 70.2 GiB"
            )
        ],
    ),
    "kv-cache-above-the-memory": (
        {"tensor_parallel": "1", "max_model_len": "40960"},
        [
            (
                "Qwen/Qwen3-14B does not fit 1 x NVIDIA A100 40 GB: "
                "weights 27.5 GiB + KV cache of 40960 tokens 6.3 GiB + overhead 1 x 2 GiB "
                "make 35.8 GiB, but there are 1 x 39 GiB x 0.9 = 35.1 GiB"
            )
        ],
    ),
    "longer-than-the-model": (
        {"max_model_len": "40961"},
        ["max_model_len 40961 is above the 40960 positions of Qwen/Qwen3-14B"],
    ),
    "min-above-max": (
        {"canary_min_replicas": "3"},
        ["canary_min_replicas 3 is above canary_max_replicas 2"],
    ),
    "one-pod-in-prod": (
        {"prod_min_replicas": "1"},
        ["prod_min_replicas must be 2 or more; found 1: each restart would be an outage"],
    ),
    "storage-below-the-weights": (
        {"storage_size": "33Gi"},
        ["storage_size 33Gi is below 1.2 x 27.5 GiB of weights: answer 34Gi or more"],
    ),
    "storage-no-size": (
        {"storage_size": "100 GB"},
        ["storage_size must be a number with Gi or Ti, like 100Gi; found '100 GB'"],
    ),
    "pin-by-no-date": (
        {"pin_by": "20261208"},
        ["pin_by must be a date YYYY-MM-DD; found '20261208'"],
    ),
    "versions": (
        {"kubernetes_version": "v1.36", "vllm_version": "latest"},
        [
            "kubernetes_version must be major.minor like 1.36; found 'v1.36'",
            "vllm_version must be major.minor.patch like 0.32.0; found 'latest'",
        ],
    ),
    "versions-too-old": (
        {"kubernetes_version": "1.29", "vllm_version": "0.17.9"},
        [
            (
                "kubernetes_version must be 1.30 or later, which knows the preStop sleep that lets "
                "a server drain; found 1.29"
            ),
            "vllm_version must be 0.18.0 or later, which knows --shutdown-timeout; found 0.17.9",
        ],
    ),
    "texts": (
        {
            "display_name": "two\nlines",
            "owner": "team a",
            "repository_url": "no url",
            "image_registry": "https://docker.io",
            "model_id": "Qwen3-14B",
            "served_name": "qwen chat",
            "secret_store": "Store",
        },
        [
            "owner must be a Kubernetes label value: up to 63 letters, digits and . _ -; found 'team a'",
            "secret_store must be a DNS-1123 subdomain; found 'Store'",
            "display_name must be one line of text; found 'two\\nlines'",
            "image_registry must be a registry host; found 'https://docker.io'",
            "repository_url must be a Git URL; found 'no url'",
            "model_id must be organisation/name as on the hub; found 'Qwen3-14B'",
            "served_name must be letters, digits and . _ / : -; found 'qwen chat'",
            "model_revision 40c069824f4251a91eefaf281ebe4c544efd3e18 is a commit of Qwen/Qwen3-14B, not of Qwen3-14B",
        ],
    ),
}
