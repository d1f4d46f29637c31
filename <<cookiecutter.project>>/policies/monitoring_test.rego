package lockgate.monitoring_test

import data.lockgate.lib.testing
import data.lockgate.monitoring
import rego.v1

found(doc) := result if {
	result := monitoring.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools with data.versions as {"vllm": "0.32.0"}
}

document(objects, queries) := object.union(testing.prod, {
	"objects": array.concat(testing.prod.objects, objects),
	"queries": queries,
	"recorded": [],
	"adapter": [],
})

test_nothing_to_say_without_objects if found(testing.document("prod", [])) == set()

test_nothing_to_say_about_other_objects if found(testing.prod) == set()

# MON001

rule_ref := {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "namespace": "chat-prod", "name": "chat"}

query(source, name) := {
	"object": rule_ref,
	"path": ["spec", "expr"],
	"source": source,
	"text": name,
	"error": "",
	"metrics": [{"name": name, "labels": []}],
}

test_mon001_a_metric_that_went_away if {
	wanted := {{
		"id": "MON001",
		"msg": "expr wants metrics of vLLM 0.32.0, found 'vllm:gpu_cache_usage_perc', which vllm:kv_cache_usage_perc replaces",
		"object": rule_ref,
		"path": ["spec", "expr"],
	}}
	found(document([], [query("alert", "vllm:gpu_cache_usage_perc")])) == wanted
	found(document([], [query("record", "vllm:gpu_cache_usage_perc")])) == wanted
	found(document([], [query("analysis", "vllm:gpu_cache_usage_perc")])) == wanted
	found(document([], [query("dashboard", "vllm:gpu_cache_usage_perc")])) == wanted
}

test_mon001_a_dashboard_that_is_no_json if {
	broken := object.union(query("dashboard", "x"), {"path": ["data", "d.json"], "language": "JSON", "error": "Expecting value: line 1 column 13", "metrics": []})
	found(document([], [broken])) == {{
		"id": "MON001",
		"msg": "d.json wants JSON, found that it does not parse: Expecting value: line 1 column 13",
		"object": rule_ref,
		"path": ["data", "d.json"],
	}}
}

test_mon001_silent_on_metrics_of_the_version if found(document([], [query("alert", "vllm:kv_cache_usage_perc")])) == set()

test_mon001_silent_on_what_autoscalers_read if {
	found(document([], [query("adapter", "vllm:gpu_cache_usage_perc")])) == set()
	found(document([], [query("trigger", "vllm:gpu_cache_usage_perc")])) == set()
}

# MON002

monitor(kind, spec) := {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": "chat", "namespace": "chat-prod"}, "spec": spec}

pod_monitor(selector, endpoint) := monitor("PodMonitor", {"selector": selector, "podMetricsEndpoints": [endpoint]})

service_monitor(selector, endpoint) := monitor("ServiceMonitor", {"selector": selector, "endpoints": [endpoint]})

service := {
	"apiVersion": "v1",
	"kind": "Service",
	"metadata": {"name": "chat", "namespace": "chat-prod", "labels": {"app": "chat"}},
	"spec": {"selector": testing.labels, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]},
}

server := {"matchLabels": testing.labels}

monitored(objects) := found(document(objects, []))

at_monitor(kind, path, msg) := {
	"id": "MON002",
	"msg": msg,
	"object": {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "namespace": "chat-prod", "name": "chat"},
	"path": path,
}

test_mon002_good_monitors if {
	monitored([pod_monitor(server, {"port": "http"})]) == set()
	monitored([pod_monitor(server, {"port": "http", "path": "/metrics/"})]) == set()
	monitored([pod_monitor({}, {"port": "http"})]) == set()
	monitored([service, service_monitor({"matchLabels": {"app": "chat"}}, {"port": "web"})]) == set()
}

test_mon002_selects_nothing if {
	monitored([pod_monitor({"matchLabels": {"app": "gone"}}, {"port": "http"})]) == {at_monitor("PodMonitor", ["spec", "selector"], "the selector wants labels of a pod template in 'chat-prod', found none with app=gone")}
	monitored([pod_monitor({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {"port": "http"})]) == {at_monitor("PodMonitor", ["spec", "selector"], "the selector wants labels of a pod template in 'chat-prod', found none with app Exists")}
	monitored([service, service_monitor(server, {"port": "web"})]) == {at_monitor("ServiceMonitor", ["spec", "selector"], "the selector wants labels of a Service in 'chat-prod', found none with app.kubernetes.io/component=server, app.kubernetes.io/name=chat")}
}

test_mon002_no_such_port if {
	monitored([pod_monitor(server, {"port": "metrics"})]) == {at_monitor("PodMonitor", ["spec", "podMetricsEndpoints", 0, "port"], "the endpoint wants the name of a port of the selected pod template (http), found 'metrics'")}
	monitored([service, service_monitor({"matchLabels": {"app": "chat"}}, {"port": "http"})]) == {at_monitor("ServiceMonitor", ["spec", "endpoints", 0, "port"], "the endpoint wants the name of a port of the selected Service (web), found 'http'")}
}

test_mon002_another_path if {
	monitored([pod_monitor(server, {"port": "http", "path": "/stats"})]) == {at_monitor("PodMonitor", ["spec", "podMetricsEndpoints", 0, "path"], "the endpoint wants /metrics of vLLM, found '/stats'")}
	monitored([service, service_monitor({"matchLabels": {"app": "chat"}}, {"port": "web", "path": "/v1/metrics"})]) == {at_monitor("ServiceMonitor", ["spec", "endpoints", 0, "path"], "the endpoint wants /metrics of vLLM, found '/v1/metrics'")}
}

test_mon002_a_port_without_a_name if {
	objects := testing.server(testing.prod, {"ports": [{"containerPort": 8000}]}).objects
	doc := testing.document("prod", array.concat(objects, [pod_monitor(server, {"port": "http"})]))
	found(doc) == {at_monitor("PodMonitor", ["spec", "podMetricsEndpoints", 0, "port"], "the endpoint wants the name of a port of the selected pod template (none has one), found 'http'")}
}

test_mon002_a_server_without_metrics if {
	objects := testing.server(testing.prod, {"args": ["m", "--port=8000", "--disable-log-stats"]}).objects
	found(testing.document("prod", array.concat(objects, [pod_monitor(server, {"port": "http"})]))) == {{
		"id": "MON002",
		"msg": "the PodMonitor 'chat' wants metrics of container 'vllm', found 'disable-log-stats', with which vLLM has none",
		"object": testing.server_ref("prod"),
		"path": testing.container_path(["args", 2]),
	}}
	found(testing.document("prod", objects)) == set()
	found(testing.document("prod", array.concat(objects, [pod_monitor(server, {"port": "other"})]))) != set()
	kept := testing.server(testing.prod, {"args": ["m", "--port=8000", "--no-disable-log-stats"]}).objects
	found(testing.document("prod", array.concat(kept, [pod_monitor(server, {"port": "http"})]))) == set()
}

test_mon002_silent_on_pods_that_are_not_here if {
	elsewhere := {"selector": {"matchLabels": {"app": "gone"}}, "podMetricsEndpoints": [{"port": "x"}]}
	monitored([monitor("PodMonitor", object.union(elsewhere, {"namespaceSelector": {"any": true}}))]) == set()
	monitored([monitor("PodMonitor", object.union(elsewhere, {"namespaceSelector": {"matchNames": ["platform"]}}))]) == set()
	monitored([monitor("PodMonitor", object.union(elsewhere, {"namespaceSelector": {"matchNames": ["chat-prod"]}}))]) != set()
	monitored([pod_monitor({"matchLabels": {"rollouts-pod-template-hash": "abc"}}, {"port": "http"})]) == set()
	hidden := {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "ray", "namespace": "chat-prod"}, "spec": {}}
	monitored([hidden, monitor("PodMonitor", elsewhere)]) == set()
}

test_mon002_silent_on_unknown_values if {
	monitored([pod_monitor(server, {"portNumber": 9000})]) == set()
	monitored([pod_monitor(server, {"port": 8000})]) == set()
	monitored([pod_monitor(server, {"port": "http", "path": 3})]) == set()
	monitored([pod_monitor(server, {"port": "http", "path": "$(PATH)"})]) == set()
	monitored([monitor("PodMonitor", {"selector": "x", "podMetricsEndpoints": []})]) == set()
	monitored([monitor("PodMonitor", {"selector": {"matchLabels": {"app": "gone"}}, "podMetricsEndpoints": "x"})]) == set()
	monitored([monitor("PodMonitor", {})]) == set()
}

test_mon002_a_server_below_a_root_path if {
	objects := testing.server(testing.prod, {"args": ["m", "--port=8000", "--root-path=/chat"]}).objects
	doc := testing.document("prod", array.concat(objects, [pod_monitor(server, {"port": "http", "path": "/chat/metrics"})]))
	found(doc) == set()
}

# MON003

expressions := ["queue", "cache", "first", "errors", "ready"]

reads := {
	"queue": [{"name": "vllm:num_requests_waiting", "labels": []}],
	"cache": [{"name": "vllm:kv_cache_usage_perc", "labels": []}],
	"first": [{"name": "vllm:time_to_first_token_seconds_bucket", "labels": []}],
	"errors": [{"name": "http_requests_total", "labels": [{"name": "status", "op": "=~", "value": "5.."}]}],
	"ready": [{"name": "kube_pod_status_ready", "labels": []}],
}

alert(name) := {
	"alert": name,
	"expr": name,
	"for": "5m",
	"labels": {"severity": "warning"},
	"annotations": {"summary": "It is wrong.", "runbook_url": "https://example.com/runbook"},
}

# prod with these rules, of which each reads what `read` says of its expression.
alerting(rules, read) := document(
	[{"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "chat", "namespace": "chat-prod"}, "spec": {"groups": [{"name": "chat", "rules": rules}]}}],
	[entry |
		some index
		rule := rules[index]
		entry := {
			"object": rule_ref,
			"path": ["spec", "groups", 0, "rules", index, "expr"],
			"source": source(rule),
			"text": rule.expr,
			"error": "",
			"metrics": object.get(read, rule.expr, []),
		}
	],
)

source(rule) := "record" if rule.record

source(rule) := "alert" if not rule.record

all_five := [alert(name) | some name in expressions]

first_changed(operations) := alerting(array.concat([json.patch(all_five[0], operations)], array.slice(all_five, 1, 5)), reads)

at_alert(path, msg) := {"id": "MON003", "msg": msg, "object": rule_ref, "path": array.concat(["spec", "groups"], path)}

test_mon003_the_five if found(alerting(all_five, reads)) == set()

test_mon003_an_alert_lacks_a_field if {
	found(first_changed([{"op": "remove", "path": ["for"]}])) == {at_alert([0, "rules", 0, "for"], "alert 'queue' wants a time in `for`, found none")}
	found(first_changed([{"op": "replace", "path": ["for"], "value": "0m"}])) == {at_alert([0, "rules", 0, "for"], "alert 'queue' wants a time in `for`, found '0m'")}
	found(first_changed([{"op": "replace", "path": ["for"], "value": "1s"}])) == set()
	found(first_changed([{"op": "remove", "path": ["labels"]}])) == {at_alert([0, "rules", 0, "labels", "severity"], "alert 'queue' wants a label severity, found none")}
	found(first_changed([{"op": "replace", "path": ["labels", "severity"], "value": ""}])) == {at_alert([0, "rules", 0, "labels", "severity"], "alert 'queue' wants a label severity, found none")}
	found(first_changed([{"op": "remove", "path": ["annotations", "summary"]}])) == {at_alert([0, "rules", 0, "annotations", "summary"], "alert 'queue' wants an annotation summary, found none")}
	found(first_changed([{"op": "remove", "path": ["annotations", "runbook_url"]}])) == {at_alert([0, "rules", 0, "annotations", "runbook_url"], "alert 'queue' wants an annotation runbook_url, found none")}
	found(first_changed([{"op": "replace", "path": ["annotations"], "value": {"summary": "It is wrong.", "runbook": "x"}}])) == set()
}

none_on(what, says) := {at_alert([], sprintf("the alerts want one on %v (%v), found none", [what, says]))}

without(name) := alerting([one | some one in all_five; one.alert != name], reads)

test_mon003_one_of_the_five_is_missing if {
	found(without("queue")) == none_on("the queue", "vllm:num_requests_waiting or vllm:request_queue_time_seconds")
	found(without("cache")) == none_on("the KV cache", "vllm:kv_cache_usage_perc or vllm:num_preemptions_total")
	found(without("first")) == none_on("the time to first token", "vllm:time_to_first_token_seconds")
	found(without("errors")) == none_on("errors", "http_requests_total by status, or vllm:request_success_total by finished_reason")
	found(without("ready")) == none_on("no ready pod", "kube_pod_status_ready, or up of the scrape")
}

read_instead(name, metrics) := found(alerting(all_five, object.union(reads, {name: metrics})))

test_mon003_other_metrics_of_the_same if {
	read_instead("queue", [{"name": "vllm:request_queue_time_seconds_sum", "labels": []}]) == set()
	read_instead("cache", [{"name": "vllm:num_preemptions_total", "labels": []}]) == set()
	read_instead("errors", [{"name": "gateway_errors_total", "labels": []}]) == set()
	read_instead("errors", [{"name": "http_requests_total", "labels": []}]) != set()
	read_instead("ready", [{"name": "up", "labels": []}]) == set()
	read_instead("ready", [{"name": "vllm:num_requests_running", "labels": [], "function": "absent"}]) == set()
	read_instead("ready", [{"name": "uptime", "labels": []}]) != set()
}

test_mon003_recording_rules_are_followed if {
	recorded := {"record": "chat:queue", "expr": "recorded"}
	read := object.union(reads, {"queue": [{"name": "chat:queue", "labels": []}], "recorded": reads.queue})
	found(alerting(array.concat(all_five, [recorded]), read)) == set()
}

test_mon003_silent_where_it_cannot_know if {
	elsewhere := object.union(reads, {"queue": [{"name": "chat:queue", "labels": []}]})
	found(alerting(all_five, elsewhere)) == set()
	found(alerting(all_five, object.union(reads, {"queue": []}))) == set()
	found(document([], [])) == set()
	found(alerting([{"record": "chat:queue", "expr": "queue"}], reads)) == set()
	found(alerting([{"alert": 3, "expr": "queue"}], reads)) == set()
}

test_mon003_a_dead_mans_switch_always_fires if {
	alive := object.remove(object.union(alert("alive"), {"expr": "vector(1)"}), ["for"])
	found(alerting(array.concat(all_five, [alive]), reads)) == set()
}

test_mon003_silent_on_alerts_of_other_things if {
	doc := alerting([alert("disk")], {"disk": [{"name": "node_filesystem_avail_bytes", "labels": []}]})
	without_engine := object.union(doc, {"objects": [obj | some obj in doc.objects; obj.kind == "PrometheusRule"]})
	found(without_engine) == set()
}

test_mon002_a_part_may_have_its_pods_elsewhere if {
	doc := {"environment": "prod", "objects": [pod_monitor({"matchLabels": {"app": "gone"}}, {"port": "http"})]}
	found(object.union(doc, {"partial": true})) == set()
}
