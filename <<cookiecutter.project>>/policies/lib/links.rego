# Service links: the variables by which a pod is told of every Service of its namespace. A Service `vllm`
# sets VLLM_PORT=tcp://..., in vLLM's own name space.
package lockgate.lib.links

import data.lockgate.lib.catalogue
import data.lockgate.lib.objects
import data.lockgate.lib.vllm
import rego.v1

# Services whose links are named like vLLM's variables: {"object", "name", "namespace", "variables"}; of the
# variables those that do not depend on the ports.
services := [{"object": objects.slim(obj), "name": objects.name(obj), "namespace": objects.namespace(obj), "variables": variables} |
	some obj in objects.of_kind("Service")
	objects.group(objects.string_at(obj, "apiVersion")) == ""
	has_address(obj)
	variables := links_of(replace(upper(objects.name(obj)), "-", "_"))
	count(variables) > 0
]

links_of(prefix) := [variable |
	startswith(concat("", [prefix, "_"]), "VLLM_")
	some suffix in ["PORT", "SERVICE_HOST", "SERVICE_PORT"]
	variable := concat("_", [prefix, suffix])
]

# Only an address makes a link: neither a headless Service nor a name of elsewhere has one.
has_address(obj) if {
	is_object(obj.spec)
	object.get(obj.spec, "clusterIP", "") != "None"
	object.get(obj.spec, "type", "ClusterIP") != "ExternalName"
}

# Those of the links that vLLM reads.
read_by_vllm := {variable |
	some service in services
	some variable in service.variables
	catalogue.vllm.variables[variable]
}

# Pods of engines that get such links: {"workload", "services", "broken": links whose value the engine reads}.
linked := [{"workload": workload, "services": near, "broken": broken} |
	count(services) > 0
	some server in vllm.servers
	workload := server.workload
	object.get(workload.pod, "enableServiceLinks", null) in {null, true}
	near := [service | some service in services; service.namespace == objects.namespace(workload.object)]
	count(near) > 0
	broken := broken_links(server, near)
]

# A variable of the container's own counts before a link. A server that is told to refuses any unknown name.
broken_links(server, near) := [variable |
	own := {variable.name | some variable in object.get(server.container, "env", [])}
	some service in near
	some variable in service.variables
	breaks(server, variable)
	not variable in own
]

breaks(_, variable) if variable in read_by_vllm

breaks(server, _) if vllm.on(server, "fail-on-environ-validation")
