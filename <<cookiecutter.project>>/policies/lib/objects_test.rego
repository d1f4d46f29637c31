package lockgate.lib.objects_test

import data.lockgate.lib.objects
import rego.v1

service := {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "n"}}

pair := [service, {"kind": "Namespace", "metadata": {"name": "n"}}]

test_all_of_each_input if {
	own := objects.all with input as {"environment": "dev", "objects": pair}
	own == pair
	single := objects.all with input as [{"path": "-", "contents": service}, {"path": "-", "contents": pair[1]}]
	single == pair
	listed := objects.all with input as [{"path": "-", "contents": pair}]
	listed == pair
	repository := objects.all with input as {"repository": {}}
	repository == []
}

test_of_kind if {
	services := objects.of_kind("Service") with input as {"objects": pair}
	services == [service]
	none := objects.of_kind("Pod") with input as {"objects": pair}
	none == []
}

test_named if {
	found := objects.named("Service", "n", "a") with input as {"objects": pair}
	found == service
	not objects.named("Service", "other", "a") with input as {"objects": pair}
}

test_ref if {
	objects.ref(service) == {"apiVersion": "v1", "kind": "Service", "namespace": "n", "name": "a"}
	objects.ref({}) == {"apiVersion": "", "kind": "", "namespace": "", "name": ""}
}

test_group if {
	objects.group("apps/v1") == "apps"
	objects.group("v1") == ""
}

test_a_service_of_another_group_is_no_service if {
	knative := {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "a"}}
	plain := {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}}
	objects.of_kind("Service") == [plain] with input as {"objects": [knative, plain]}
}
