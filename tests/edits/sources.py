"""Where the preload Job gets the model from: a bucket or a registry, and what they need."""

from __future__ import annotations

from edits.model import POLICIES, PRELOAD, Edit, release

ARGS = "            - --config=/etc/vllm/serve.yaml\n"
ENV = "            - name: HF_HUB_CACHE\n              value: /models\n"
ADDRESS = "            - name: AWS_ENDPOINT_URL\n              value: https://objects.example.com\n            - name: AWS_REGION\n              value: eu-central-1\n"
KEYS = """            - name: AWS_ACCESS_KEY_ID
              valueFrom:
                secretKeyRef: {name: mirror-keys, key: id, optional: true}
            - name: AWS_SECRET_ACCESS_KEY
              valueFrom:
                secretKeyRef: {name: mirror-keys, key: secret, optional: true}
"""
KEY_OF_NO_SECRET = "            - name: AWS_ACCESS_KEY_ID\n              valueFrom:\n                secretKeyRef: {name: mirror-keys, key: id}\n"
KEY_ID = "AK" + "IAQWERTZUIOPASDFGH"
MOUNT = "            - name: tmp\n              mountPath: /tmp\n"
VOLUME = "        - name: tmp\n          emptyDir:\n            sizeLimit: 2Gi\n"
LOGIN = "        - name: docker\n          secret:\n            secretName: registry-login\n            optional: true\n            items:\n              - key: .dockerconfigjson\n                path: config.json\n"
# In the release, since the digest is one of its revision.
ARTIFACT = """patches:
  - target:
      kind: Job
      name: qwen-chat-preload
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/args/-
        value: --source=oci://registry.example.com/models/qwen3-14b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""
ACCOUNT = """---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: qwen-chat-preload
  labels:
    app.kubernetes.io/name: qwen-chat
  annotations:
    eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/model-mirror
automountServiceAccountToken: false
"""
OWN_ACCOUNT = Edit("own-account", PRELOAD, "serviceAccountName: qwen-chat\n", "serviceAccountName: qwen-chat-preload\n")
BUCKET = Edit("bucket", PRELOAD, ARGS, ARGS + "            - --source=s3://models/mirror\n")
EGRESS = "              - 192.168.0.0/16\n      ports:\n        - protocol: TCP\n          port: 443\n"

FAULTS: tuple[Edit, ...] = (
    Edit("bucket-key-in-env", PRELOAD, ENV, ENV + f"            - name: AWS_ACCESS_KEY_ID\n              value: {KEY_ID}\n", "KEY003", KEY_ID, before=BUCKET),
    Edit("bucket-key-in-args", PRELOAD, ARGS, ARGS + f"            - --source=s3://{KEY_ID}@models/mirror\n", "KEY003", KEY_ID),
    Edit("artifact-by-tag", PRELOAD, ARGS, ARGS + "            - --source=oci://registry.example.com/models/qwen3-14b:v1\n", "MDL001", "oci://"),
    Edit("artifact-in-two-words", PRELOAD, ARGS, ARGS + "            - --source\n            - oci://registry.example.com/models/qwen3-14b\n", "MDL001", "oci://"),
    Edit("bucket-keys-of-no-secret", PRELOAD, ENV, ENV + KEY_OF_NO_SECRET, "REF001", "mirror-keys", before=BUCKET),
)

SILENT: tuple[Edit, ...] = (
    BUCKET,
    Edit("bucket-with-keys", PRELOAD, ENV, ENV + ADDRESS + KEYS, before=BUCKET),
    Edit("bucket-by-the-role-of-an-account", "base/service-account.yaml", "", ACCOUNT, before=OWN_ACCOUNT),
    Edit("bucket-in-the-cluster", POLICIES, EGRESS, EGRESS + "    - to:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: objects\n      ports:\n        - protocol: TCP\n          port: 9000\n", before=BUCKET),
    Edit("artifact-of-the-release", release("dev", "kustomization.yaml"), "", ARTIFACT),
    Edit("artifact-behind-a-login", PRELOAD, VOLUME, VOLUME + LOGIN, before=Edit("docker", PRELOAD, ENV, ENV + "            - name: DOCKER_CONFIG\n              value: /etc/docker\n", before=Edit("mounted", PRELOAD, MOUNT, MOUNT + "            - name: docker\n              mountPath: /etc/docker\n              readOnly: true\n"))),
)
