package lockgate.lib.metrics_test

import data.lockgate.lib.metrics
import data.lockgate.lib.testing
import rego.v1

prod(fields) := object.union(testing.prod, fields)

# A query that reads these metrics, in a document of prod.
reading(read) := prod({"queries": [query(read)], "recorded": [], "adapter": []})

query(read) := {"object": {}, "path": ["spec", "expr"], "source": "alert", "text": "", "error": "", "metrics": read}

selector(name) := {"name": name, "labels": []}

labelled(name, label, op, value) := {"name": name, "labels": [{"name": label, "op": op, "value": value}]}

texts(doc) := texts_of(doc, "0.32.0")

texts_of(doc, version) := {fault.text | some fault in found} if {
	found := metrics.faults with input as doc with data.versions as {"vllm": version}
}

# The document without an engine, so that lockgate.yaml says the version.
alone(read) := {"environment": "prod", "objects": [], "queries": [query(read)], "recorded": [], "adapter": []}

test_without_queries_nothing_is_judged if texts(testing.prod) == set()

test_series_of_each_type if {
	texts(reading([
		selector("vllm:num_requests_waiting"),
		selector("vllm:prompt_tokens_total"),
		selector("vllm:prompt_tokens_created"),
		selector("vllm:time_to_first_token_seconds_bucket"),
		selector("vllm:time_to_first_token_seconds_sum"),
		selector("vllm:time_to_first_token_seconds_count"),
		selector("vllm:time_to_first_token_seconds_created"),
		selector("vllm:spec_decode_num_drafts_total"),
		selector("other"),
	])) == set()
}

test_names_that_are_no_series if {
	texts(reading([selector("vllm:num_requests_waiting_sum")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:num_requests_waiting_sum', did you mean 'vllm:num_requests_waiting'?"}
	texts(reading([selector("vllm:prompt_tokens")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:prompt_tokens', did you mean 'vllm:prompt_tokens_total'?"}
	texts(reading([selector("vllm:time_to_first_token_seconds")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:time_to_first_token_seconds', which is a histogram: its series end in _bucket, _sum and _count"}
	texts(reading([selector("vllm_num_requests_running")])) == {"wants metrics of vLLM 0.32.0, found 'vllm_num_requests_running', did you mean 'vllm:num_requests_running'?"}
	texts(reading([selector("vllm:xyzzy")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:xyzzy'"}
}

test_names_that_went_away if {
	texts(reading([selector("vllm:gpu_prefix_cache_hits_total")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:gpu_prefix_cache_hits_total', which vllm:prefix_cache_hits_total replaces"}
	texts(reading([selector("vllm:num_requests_swapped")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:num_requests_swapped', which went away in 0.9"}
}

test_names_that_others_have if {
	texts(reading([selector("vllm_gpu_utilization_percent")])) == {"wants metrics of vLLM 0.32.0, found 'vllm_gpu_utilization_percent': wanted DCGM_FI_DEV_GPU_UTIL of the DCGM exporter"}
	texts(reading([selector("vllm_tokens_per_second")])) == {"wants metrics of vLLM 0.32.0, found 'vllm_tokens_per_second': wanted rate(vllm:generation_tokens_total[5m])"}
}

test_names_of_other_versions if {
	older := testing.server(reading([selector("vllm:websocket_connections_active")]), {"image": "docker.io/vllm/vllm-openai:v0.16.0"})
	texts(older) == {"wants metrics of vLLM 0.16.0, found 'vllm:websocket_connections_active', which 0.24.0 has"}
	texts(reading([selector("vllm:kv_offload_config_info")])) == {"wants metrics of vLLM 0.32.0, found 'vllm:kv_offload_config_info', which 0.33.0 has"}
	texts_of(alone([selector("vllm:kv_offload_config_info")]), "0.33.0") == set()
}

test_a_version_out_of_the_catalogue_lacks_only_what_went_away_before if {
	texts_of(alone([selector("vllm:xyzzy"), selector("vllm:gpu_cache_usage_perc")]), "0.19.1") == {"wants metrics of vLLM 0.19.1, found 'vllm:gpu_cache_usage_perc', which vllm:kv_cache_usage_perc replaces"}
	texts_of(alone([selector("vllm:gpu_cache_usage_perc")]), "0.11.2") == set()
	texts_of(alone([selector("vllm:gpu_cache_usage_perc")]), "0.12.0") != set()
	texts_of(alone([selector("vllm:gpu_cache_usage_perc")]), "nightly") == set()
	texts_of(alone([selector("vllm:gpu_cache_usage_perc")]), 3) == set()
}

test_without_a_version_nothing_is_judged if {
	found := metrics.faults with input as alone([selector("vllm:gpu_cache_usage_perc")])
	count(found) == 0
}

test_names_that_something_else_gives if {
	doc := reading([selector("vllm:queue"), selector("vllm:queue:sum"), selector("vllm:current_qps"), selector("vllm_router_requests_total"), selector("vllm_omni:num_requests_waiting"), selector("vllm:own_errors"), selector("vllm:own")])
	known := object.union(doc, {"recorded": ["vllm:queue"]})
	found := metrics.faults with input as known with data.versions as {"vllm": "0.32.0"} with data.metrics as {"known": ["vllm:own_*", "vllm:own"]}
	count(found) == 0
}

test_the_router_has_names_that_vllm_had if {
	texts(reading([labelled("vllm:num_requests_swapped", "server", "=", "a")])) == set()
	router := {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "router", "namespace": "chat-prod"}, "spec": {"template": {"spec": {"containers": [{"name": "router", "image": "docker.io/lmcache/lmstack-router:0.1.7"}]}}}}
	texts(testing.plus(reading([selector("vllm:num_requests_swapped")]), [router])) == set()
}

test_alternatives_of_several_versions if {
	old := {"name": "vllm:gpu_cache_usage_perc", "labels": [], "alternative": true}
	new := {"name": "vllm:kv_cache_usage_perc", "labels": [], "alternative": true}
	texts(reading([new, old])) == set()
	texts(reading([old, selector("other")])) != set()
}

monitor(endpoint) := {"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": {"name": "chat", "namespace": "chat-prod"}, "spec": {"selector": {}, "podMetricsEndpoints": [endpoint]}}

test_native_histograms if {
	whole := {"name": "vllm:time_to_first_token_seconds", "labels": [], "native": true}
	texts(reading([whole])) == set()
	converting := json.patch(monitor({"port": "http"}), [{"op": "add", "path": ["spec", "convertClassicHistogramsToNHCB"], "value": true}])
	texts(testing.plus(reading([selector("vllm:time_to_first_token_seconds")]), [converting])) == set()
}

test_names_changed_by_the_scrape if {
	renaming := monitor({"port": "http", "metricRelabelings": [{"sourceLabels": ["__name__"], "targetLabel": "__name__"}]})
	texts(testing.plus(reading([selector("vllm_num_requests_waiting")]), [renaming])) == set()
}

mistaken := {"wants labels of 'vllm:num_requests_waiting', found 'model', did you mean 'model_name'?"}

waiting(op, value) := reading([labelled("vllm:num_requests_waiting", "model", op, value)])

test_labels_that_are_mistaken if {
	texts(waiting("=", "chat")) == mistaken
	texts(waiting("=", null)) == mistaken
	texts(waiting("=~", "chat|other")) == mistaken
	texts(waiting("=~", ".+")) == mistaken
	texts(waiting("!=", "")) == mistaken
	texts(reading([labelled("vllm:request_success_total", "finish_reason", "=", "stop")])) == {"wants labels of 'vllm:request_success_total', found 'finish_reason', did you mean 'finished_reason'?"}
}

test_labels_that_select_nothing_away if {
	texts(waiting("=", "")) == set()
	texts(waiting("=~", ".*")) == set()
	texts(waiting("=~", null)) == set()
	texts(waiting("!=", "chat")) == set()
	texts(waiting("!~", "chat")) == set()
}

test_labels_that_are_vllms_or_the_scrapes if {
	texts(reading([labelled("vllm:num_requests_waiting", "model_name", "=", "chat")])) == set()
	texts(reading([labelled("vllm:num_requests_waiting", "namespace", "=", "chat-prod")])) == set()
	texts(reading([labelled("vllm:cache_config_info", "model", "=", "chat")])) == set()
	texts(testing.plus(waiting("=", "chat"), [monitor({"port": "http", "relabelings": [{"targetLabel": "model"}]})])) == set()
	texts(testing.plus(waiting("=", "chat"), [monitor({"port": "http", "relabelings": [{"action": "labelmap", "regex": "x"}]})])) == set()
	targets := json.patch(monitor({"port": "http"}), [{"op": "add", "path": ["spec", "podTargetLabels"], "value": ["model"]}])
	texts(testing.plus(waiting("=", "chat"), [targets])) == set()
	declared := metrics.faults with input as waiting("=", "chat") with data.versions as {"vllm": "0.32.0"} with data.metrics as {"labels": ["model"]}
	count(declared) == 0
}

test_functions_of_the_wrong_type if {
	texts(reading([{"name": "vllm:num_requests_waiting", "labels": [], "function": "rate"}])) == {"wants rate() of a counter, found the gauge 'vllm:num_requests_waiting'"}
	texts(reading([{"name": "vllm:num_requests_waiting", "labels": [], "function": "deriv"}])) == set()
	texts(reading([{"name": "vllm:prompt_tokens_total", "labels": [], "function": "rate"}])) == set()
	texts(reading([{"name": "vllm:time_to_first_token_seconds_bucket", "labels": [], "le_lost": true}])) == {"wants `le` kept for histogram_quantile, found 'vllm:time_to_first_token_seconds_bucket' aggregated without it"}
	texts(reading([{"name": "vllm:time_to_first_token_seconds_sum", "labels": [], "le_lost": true}])) == set()
}

test_an_expression_that_does_not_parse if {
	doc := prod({"queries": [object.union(query([]), {"error": "unclosed left parenthesis"})]})
	texts(doc) == {"wants PromQL, found that it does not parse: unclosed left parenthesis"}
}
