"""What kustomize knows of the built-in kinds: merge keys of lists, cluster scope, where labels go.

The facts are those of the OpenAPI document that kustomize 5.8.2 carries (Kubernetes 1.21, with the
`x-kubernetes-patch-merge-key` and `x-kubernetes-list-map-keys` of its fields) and of its default
transformer configuration. A kind that is not in there has no merge keys: its lists are replaced whole.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Keys: TypeAlias = tuple[str, ...]
"""Names of the fields that identify an item of a merged list; empty for a list of plain values."""

_CONTAINER: dict[Keys, Keys] = {
    ("env",): ("name",),
    ("ports",): ("containerPort", "protocol"),
    ("volumeDevices",): ("devicePath",),
    ("volumeMounts",): ("mountPath",),
}

_POD_SPEC: dict[Keys, Keys] = {
    ("containers",): ("name",),
    ("initContainers",): ("name",),
    ("ephemeralContainers",): ("name",),
    ("hostAliases",): ("ip",),
    ("imagePullSecrets",): ("name",),
    ("topologySpreadConstraints",): ("topologyKey", "whenUnsatisfiable"),
    ("volumes",): ("name",),
    **{("containers", *path): keys for path, keys in _CONTAINER.items()},
    **{("initContainers", *path): keys for path, keys in _CONTAINER.items()},
    **{("ephemeralContainers", *path): keys for path, keys in _CONTAINER.items() if path != ("ports",)},
}

_TEMPLATE: Keys = ("spec", "template", "spec")

_PODS: dict[tuple[str, str], Keys] = {
    ("v1", "Pod"): ("spec",),
    ("v1", "PodTemplate"): ("template", "spec"),
    ("v1", "ReplicationController"): _TEMPLATE,
    ("apps/v1", "DaemonSet"): _TEMPLATE,
    ("apps/v1", "Deployment"): _TEMPLATE,
    ("apps/v1", "ReplicaSet"): _TEMPLATE,
    ("apps/v1", "StatefulSet"): _TEMPLATE,
    ("batch/v1", "Job"): _TEMPLATE,
    ("batch/v1", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("batch/v1beta1", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}

_OTHER: dict[tuple[str, str], dict[Keys, Keys]] = {
    ("v1", "Service"): {("spec", "ports"): ("port", "protocol")},
    ("v1", "ServiceAccount"): {("secrets",): ("name",)},
    ("v1", "Node"): {("spec", "podCIDRs"): ()},
    **{
        (f"admissionregistration.k8s.io/{version}", f"{kind}WebhookConfiguration"): {("webhooks",): ("name",)}
        for version in ("v1", "v1beta1")
        for kind in ("Mutating", "Validating")
    },
    **{(f"storage.k8s.io/{version}", "CSINode"): {("spec", "drivers"): ("name",)} for version in ("v1", "v1beta1")},
}

_V1_KINDS = """Binding ConfigMap Endpoints Event LimitRange Namespace PersistentVolume PersistentVolumeClaim
    ResourceQuota Secret"""

_KNOWN_KINDS = {
    "v1": _V1_KINDS,
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiextensions.k8s.io/v1beta1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "apiregistration.k8s.io/v1beta1": "APIService",
    "apps/v1": "ControllerRevision",
    "autoscaling/v1": "HorizontalPodAutoscaler",
    "autoscaling/v2beta1": "HorizontalPodAutoscaler",
    "autoscaling/v2beta2": "HorizontalPodAutoscaler",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "certificates.k8s.io/v1beta1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "coordination.k8s.io/v1beta1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "discovery.k8s.io/v1beta1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "events.k8s.io/v1beta1": "Event",
    "extensions/v1beta1": "Ingress",
    "flowcontrol.apiserver.k8s.io/v1beta1": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "networking.k8s.io/v1beta1": "Ingress IngressClass",
    "node.k8s.io/v1": "RuntimeClass",
    "node.k8s.io/v1beta1": "RuntimeClass",
    "policy/v1": "PodDisruptionBudget",
    "policy/v1beta1": "PodDisruptionBudget PodSecurityPolicy",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "rbac.authorization.k8s.io/v1beta1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "scheduling.k8s.io/v1beta1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver StorageClass VolumeAttachment",
    "storage.k8s.io/v1beta1": "CSIDriver CSIStorageCapacity StorageClass VolumeAttachment",
}

_KNOWN = {
    *_PODS,
    *_OTHER,
    *((version, kind) for version, kinds in _KNOWN_KINDS.items() for kind in kinds.split()),
}

_CLUSTER_KINDS = frozenset(
    [
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ComponentStatus",
        "CustomResourceDefinition",
        "FlowSchema",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PodSecurityPolicy",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    ],
)


def merge_keys(api_version: str, kind: str, path: Keys) -> Keys | None:
    """How a strategic merge treats the list at `path` (field names only, no indexes).

    Returns:
        The fields that identify an item; empty for a set of plain values; None when the list is replaced.
    """
    key = (api_version, kind)
    if key not in _KNOWN:
        return None
    if path[-2:] == ("metadata", "finalizers"):
        return ()
    if path[-2:] == ("metadata", "ownerReferences"):
        return ("uid",)
    pod = _PODS.get(key)
    if pod and path[: len(pod)] == pod:
        return _POD_SPEC.get(path[len(pod) :])
    return _OTHER.get(key, {}).get(path)


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Whether kustomize is certain that the kind has no namespace (never for a custom resource)."""
    return kind in _CLUSTER_KINDS and (api_version, kind) in _KNOWN


class FieldSpec(NamedTuple):
    """Where a transformer writes: `a/b[]/c`, the kinds it holds for (empty: all), whether it creates."""

    path: str
    kind: str = ""
    group: str = ""
    version: str = ""
    create: bool = True

    def holds_for(self, group: str, version: str, kind: str) -> bool:
        """Whether objects of this kind are meant."""
        return self.kind in {"", kind} and self.group in {"", group} and self.version in {"", version}


def _metadata(field: str, stateful_group: str = "apps") -> tuple[FieldSpec, ...]:
    template = f"spec/template/metadata/{field}"
    return (
        FieldSpec(f"metadata/{field}"),
        FieldSpec(template, "ReplicationController", version="v1"),
        FieldSpec(template, "Deployment"),
        FieldSpec(template, "ReplicaSet"),
        FieldSpec(template, "DaemonSet"),
        FieldSpec(template, "StatefulSet", stateful_group),
        FieldSpec(template, "Job", "batch"),
        FieldSpec(f"spec/jobTemplate/metadata/{field}", "CronJob", "batch"),
        FieldSpec(f"spec/jobTemplate/spec/template/metadata/{field}", "CronJob", "batch"),
    )


def _pod_selectors(kind: str) -> tuple[FieldSpec, ...]:
    spec = "spec/template/spec"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels"
    required = "requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels"
    paths = [
        f"{spec}/affinity/{one}/{two}" for one in ("podAffinity", "podAntiAffinity") for two in (preferred, required)
    ]
    paths.append(f"{spec}/topologySpreadConstraints/labelSelector/matchLabels")
    return tuple(FieldSpec(path, kind, "apps", create=False) for path in paths)


METADATA_LABELS = (FieldSpec("metadata/labels"),)
TEMPLATE_LABELS = _metadata("labels")
CLAIM_LABELS = (FieldSpec("spec/volumeClaimTemplates[]/metadata/labels", "StatefulSet", "apps"),)
COMMON_LABELS = (
    FieldSpec("spec/selector", "Service", version="v1"),
    FieldSpec("spec/selector", "ReplicationController", version="v1"),
    FieldSpec("spec/selector/matchLabels", "Deployment"),
    *_pod_selectors("Deployment"),
    FieldSpec("spec/selector/matchLabels", "ReplicaSet"),
    FieldSpec("spec/selector/matchLabels", "DaemonSet"),
    FieldSpec("spec/selector/matchLabels", "StatefulSet", "apps"),
    *_pod_selectors("StatefulSet"),
    FieldSpec("spec/selector/matchLabels", "Job", "batch", create=False),
    FieldSpec("spec/jobTemplate/spec/selector/matchLabels", "CronJob", "batch", create=False),
    FieldSpec("spec/selector/matchLabels", "PodDisruptionBudget", "policy", create=False),
    FieldSpec("spec/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io", create=False),
    FieldSpec("spec/ingress/from/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io", create=False),
    FieldSpec("spec/egress/to/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io", create=False),
    *TEMPLATE_LABELS,
    *CLAIM_LABELS,
)
COMMON_ANNOTATIONS = _metadata("annotations", "")
REPLICAS = tuple(
    FieldSpec("spec/replicas", kind) for kind in ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
)
IMAGE_VOLUMES = tuple(
    FieldSpec(f"{spec}/volumes[]/image/reference")
    for spec in ("spec", "spec/template/spec", "spec/jobTemplate/spec/template/spec")
)
NAMESPACE = (
    FieldSpec("metadata/name", "Namespace", version="v1"),
    FieldSpec("spec/service/namespace", "APIService", "apiregistration.k8s.io"),
    FieldSpec(
        "spec/conversion/webhook/clientConfig/service/namespace",
        "CustomResourceDefinition",
        "apiextensions.k8s.io",
        create=False,
    ),
)
