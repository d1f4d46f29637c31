# ROL002: analyses.
package lockgate.rollout_analysis_test

import data.lockgate.lib.testing
import data.lockgate.rollout
import rego.v1

denied(doc) := results if {
	results := rollout.deny with input as doc with data.environments as testing.environments with data.pools as testing.pools
}

rollout_ref := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "namespace": "chat-prod", "name": "chat"}

ref(kind, ns) := {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "namespace": ns, "name": "ttft"}

query := "histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{pod=~\"{{args.pods}}\"}[2m])))"

metric := {
	"name": "ttft",
	"interval": "1m",
	"count": 5,
	"failureLimit": 1,
	"successCondition": "len(result) > 0 && !isNaN(result[0]) && result[0] <= {{args.limit}}",
	"provider": {"prometheus": {"query": query}},
}

template(spec) := {
	"apiVersion": "argoproj.io/v1alpha1",
	"kind": "AnalysisTemplate",
	"metadata": {"name": "ttft", "namespace": "chat-prod"},
	"spec": object.union({"metrics": [metric], "args": [{"name": "pods"}, {"name": "limit", "value": "2"}]}, spec),
}

cluster_template := object.union(template({}), {"kind": "ClusterAnalysisTemplate", "metadata": {"namespace": "chat-prod"}})

using(analysis) := testing.changed(testing.prod, "Rollout", [{"op": "add", "path": ["spec", "strategy", "canary", "steps", "1"], "value": {"analysis": analysis}}])

named := {"templates": [{"templateName": "ttft"}], "args": [{"name": "pods", "value": "x"}]}

service := testing.plus(using(named), [template({})])

with_metric(fields) := testing.plus(using(named), [template({"metrics": [object.union(metric, fields)]})])

step_path(rest) := array.concat(["spec", "strategy", "canary", "steps", 1, "analysis"], rest)

of_rollout(path, msg) := {{"id": "ROL002", "msg": msg, "object": rollout_ref, "path": path}}

of_metric(field, msg) := {{"id": "ROL002", "msg": msg, "object": ref("AnalysisTemplate", "chat-prod"), "path": ["spec", "metrics", 0, field]}}

test_rol002_whole_analysis_is_silent if denied(service) == set()

test_rol002_template_is_not_there if {
	denied(using(named)) == of_rollout(step_path(["templates", 0, "templateName"]), "wants the AnalysisTemplate 'ttft', found none in the environment")
	elsewhere := object.union(template({}), {"metadata": {"namespace": "chat-dev"}})
	denied(testing.plus(using(named), [elsewhere])) == of_rollout(step_path(["templates", 0, "templateName"]), "wants the AnalysisTemplate 'ttft', found none in the environment")
}

cluster_named := object.union(named, {"templates": [{"templateName": "ttft", "clusterScope": true}]})

test_rol002_template_of_the_cluster if {
	denied(testing.plus(using(cluster_named), [cluster_template])) == set()

	# It may be made elsewhere.
	denied(using(cluster_named)) == set()
}

test_rol002_template_of_the_other_scope if {
	denied(testing.plus(using(cluster_named), [template({})])) == of_rollout(step_path(["templates", 0, "templateName"]), "wants the ClusterAnalysisTemplate 'ttft', found the AnalysisTemplate of that name")
	denied(testing.plus(using(named), [cluster_template])) == of_rollout(step_path(["templates", 0, "templateName"]), "wants the AnalysisTemplate 'ttft', found the ClusterAnalysisTemplate of that name")
}

# Every place that names a template.
test_rol002_all_places if {
	strategies := [
		{"strategy": {"canary": {"analysis": named, "steps": [{"setWeight": 5}, {"pause": {}}]}}, "path": ["spec", "strategy", "canary", "analysis", "templates", 0, "templateName"]},
		{"strategy": {"blueGreen": {"prePromotionAnalysis": named}}, "path": ["spec", "strategy", "blueGreen", "prePromotionAnalysis", "templates", 0, "templateName"]},
		{"strategy": {"blueGreen": {"postPromotionAnalysis": named}}, "path": ["spec", "strategy", "blueGreen", "postPromotionAnalysis", "templates", 0, "templateName"]},
		{
			"strategy": {"canary": {"trafficRouting": {}, "steps": [{"setWeight": 5}, {"experiment": {"analyses": [{"name": "a", "templateName": "ttft", "args": [{"name": "pods"}]}]}}]}},
			"path": ["spec", "strategy", "canary", "steps", 1, "experiment", "analyses", 0, "templateName"],
		},
	]
	every entry in strategies {
		doc := testing.changed(testing.prod, "Rollout", [{"op": "replace", "path": ["spec", "strategy"], "value": entry.strategy}])
		{result.path | some result in denied(doc); result.id == "ROL002"} == {entry.path}
		{result | some result in denied(testing.plus(doc, [template({})])); result.id == "ROL002"} == set()
	}
}

test_rol002_template_in_a_template if {
	doc := testing.plus(service, [object.union(template({"metrics": [], "templates": [{"templateName": "errors"}]}), {"metadata": {"name": "all"}})])
	{[result.object.name, result.path, result.msg] | some result in denied(doc)} == {["all", ["spec", "templates", 0, "templateName"], "wants the AnalysisTemplate 'errors', found none in the environment"]}
}

test_rol002_argument_without_a_value if {
	bare := object.remove(named, ["args"])
	denied(testing.plus(using(bare), [template({})])) == of_rollout(step_path(["args"]), "the templates want a value for 'pods', found none")
	other := object.union(named, {"args": [{"name": "pod", "value": "x"}]})
	denied(testing.plus(using(other), [template({"args": [{"name": "pods"}, {"name": "limit"}]})])) == of_rollout(step_path(["args"]), "the templates want a value for 'limit', 'pods', found none")
}

test_rol002_argument_from_elsewhere if {
	bare := object.remove(named, ["args"])
	denied(testing.plus(using(bare), [template({"args": [{"name": "pods", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]})])) == set()

	# Another template of the list may bring it, also one that is out of sight.
	two := {"templates": [{"templateName": "ttft"}, {"templateName": "more", "clusterScope": true}]}
	denied(testing.plus(using(two), [template({})])) == set()
}

# Metrics

test_rol002_one_look_alone if {
	doc := testing.plus(using(named), [template({"metrics": [object.remove(metric, ["interval", "count", "failureLimit"])]})])
	denied(doc) == of_metric("count", "metric 'ttft' wants a count or an interval, found one look alone")
	once := testing.plus(using(named), [template({"metrics": [object.remove(object.union(metric, {"count": 1}), ["interval", "failureLimit"])]})])
	denied(once) == set()
}

test_rol002_a_job_judges_itself if {
	doc := testing.plus(using(named), [template({"metrics": [{"name": "smoke", "provider": {"job": {"spec": {}}}}, {"name": "hook", "provider": {"web": {"url": "http://x"}}}]})])
	denied(doc) == set()
}

test_rol002_no_failure_limit if {
	expected := of_metric("failureLimit", "metric 'ttft' wants a failureLimit, found none, so that one bad look ends the release")
	denied(testing.plus(using(named), [template({"metrics": [object.remove(metric, ["failureLimit"])]})])) == expected
	denied(with_metric({"failureLimit": 0})) == set()
	by_success := object.union(object.remove(metric, ["failureLimit"]), {"consecutiveSuccessLimit": 4})
	denied(testing.plus(using(named), [template({"metrics": [by_success]})])) == set()
}

test_rol002_failure_limit_that_cannot_be_exceeded if {
	denied(with_metric({"failureLimit": 5})) == of_metric("failureLimit", "metric 'ttft' wants a failureLimit below the count 5, found 5, which it cannot exceed")
	denied(with_metric({"failureLimit": "6"})) == of_metric("failureLimit", "metric 'ttft' wants a failureLimit below the count 5, found 6, which it cannot exceed")
	denied(with_metric({"failureLimit": 4})) == set()
	denied(with_metric({"failureLimit": "{{args.limit}}"})) == set()
	denied(with_metric({"failureLimit": -1, "consecutiveSuccessLimit": 3})) == set()
}

endless := template({"metrics": [object.remove(metric, ["count"])]})

test_rol002_endless_metric if {
	denied(testing.plus(using(named), [endless])) == of_metric("count", "metric 'ttft' wants a count, as Rollout 'chat' waits for its end, found an interval alone")
	background := testing.changed(testing.prod, "Rollout", [{"op": "add", "path": ["spec", "strategy", "canary", "analysis"], "value": named}])
	denied(testing.plus(background, [endless])) == set()
	denied(testing.plus(testing.prod, [endless])) == set()
}

conditioned(condition, text) := with_metric({"successCondition": condition, "provider": {"prometheus": {"query": text}}})

ratio := "sum(rate(http_requests_total{status=~\"5..\"}[2m])) / sum(rate(http_requests_total[2m]))"

test_rol002_no_condition if {
	doc := testing.plus(using(named), [template({"metrics": [object.remove(metric, ["successCondition"])]})])
	denied(doc) == of_metric("successCondition", "metric 'ttft' wants a condition that is safe without data, found no condition, which makes a success of every answer")
}

test_rol002_index_into_nothing if {
	every condition in ["result[0] < 0.05", "result[0] <= {{args.limit}}", "asFloat(result[0]) < 1", "isNaN(result[0]) || result[0] < 5", "result[0] < 5 and result[1] < 5", "!(result[0] > 5)"] {
		denied(conditioned(condition, ratio)) == of_metric("successCondition", sprintf("metric 'ttft' wants a condition that is safe without data, found '%v', which is an error when the query returns nothing", [condition]))
	}
}

test_rol002_conditions_that_look_first if {
	every condition in [
		"len(result) > 0 && result[0] < 0.05",
		"len(result) == 0 || result[0] < 0.05",
		"isNil(result) || result[0] < 5",
		"default(result, [0])[0] < 5",
		"all(result, # < 0.05)",
		"result < 0.05",
		"true",
	] {
		denied(conditioned(condition, ratio)) == set()
	}
}

test_rol002_queries_that_always_answer_or_may if {
	every text in [
		"sum(rate(x[2m])) or vector(0)",
		"sum(rate(x[2m])) OR on() vector(0)",
		"scalar(sum(x))",
		"absent(x)",
		"{{args.query}}",
		"sum({{args.metric}})",
		"1",
	] {
		denied(conditioned("result[0] < 0.05", lower(text))) == set()
	}
	count(denied(conditioned("result[0] < 0.05", "sum(rate(x{a=\"or vector(0)\", b=\"{{args.b}}\"}[{{args.window}}])) # or vector(0)"))) == 1
}

failing(condition, text) := testing.plus(using(named), [template({"metrics": [object.union(object.remove(metric, ["successCondition"]), {"failureCondition": condition, "provider": {"prometheus": {"query": text}}})]})])

test_rol002_nan_taken_for_success if {
	every text in [query, ratio, "sum(a) / (sum(rate(b[5m])))"] {
		denied(failing("len(result) > 0 && result[0] > 2", text)) == of_metric("failureCondition", "metric 'ttft' wants a condition that is safe without data, found 'len(result) > 0 && result[0] > 2' alone, which takes NaN for success")
	}
}

test_rol002_nan_that_is_seen_or_never_comes if {
	denied(failing("len(result) > 0 && (isNaN(result[0]) || result[0] > 2)", query)) == set()
	every text in ["sum(rate(errors[5m]))", "sum(rate(a[5m])) / 60", "sum(a) / count(b)", "histogram_quantile(0.9, rate(b[5m])) > 0", "sum(rate(a[5m])) / clamp_min(sum(rate(b[5m])), 1)"] {
		denied(failing("len(result) > 0 && result[0] > 2", text)) == set()
	}
}

test_rol002_other_providers_and_dry_runs if {
	denied(with_metric({"successCondition": "result[0] < 5", "provider": {"prometheus": null, "datadog": {"query": "avg:x{*}"}}})) == set()
	dry := template({"metrics": [object.remove(metric, ["successCondition"])], "dryRun": [{"metricName": "ttft"}]})
	denied(testing.plus(using(named), [dry])) == set()
}

test_rol002_silent_on_wrong_types if {
	every fields in [{"count": []}, {"successCondition": 1}, {"provider": "x"}, {"interval": 60, "count": 2}] {
		denied(with_metric(fields)) == set()
	}
	denied(using({"templates": "ttft"})) == set()
	denied(using("ttft")) == set()
}

test_rol002_a_part_leaves_templates_to_others if {
	denied(object.union(using(named), {"partial": true})) == set()
	denied(object.union(testing.plus(using(object.remove(named, ["args"])), [template({})]), {"partial": true})) == of_rollout(step_path(["args"]), "the templates want a value for 'pods', found none")
}

# Two templates in one analysis, whose controller has one list of arguments for both.
queue(args) := object.union(template({"metrics": [object.union(metric, {"name": "queue"})], "args": array.concat([{"name": "pods"}], args)}), {"metadata": {"name": "queue"}})

both := object.union(named, {"templates": [{"templateName": "ttft"}, {"templateName": "queue"}]})

test_rol002_one_argument_of_two_values if {
	found := denied(testing.plus(using(both), [template({}), queue([{"name": "limit", "value": "10"}])]))
	found == {{
		"id": "ROL002",
		"msg": "argument 'limit' wants one value in all templates of an analysis, found '2', '10'",
		"object": object.union(ref("AnalysisTemplate", "chat-prod"), {"name": "queue"}),
		"path": ["spec", "args", 1, "value"],
		"also": [{"object": rollout_ref, "path": step_path([])}],
	}}
}

silent_args := [[{"name": "limit", "value": "2"}], [{"name": "limit"}], [{"name": "limit", "value": 10}], [{"name": "most", "value": "10"}]]

test_rol002_one_argument_of_one_value_or_none if {
	heard := [args | some args in silent_args; denied(testing.plus(using(both), [template({}), queue(args)])) != set()]
	heard == []
}

# Argo Rollouts refuses two metrics of one name.
test_rol002_metrics_of_one_name if {
	denied(testing.plus(using(both), [template({}), queue_of("queue")])) == set()
	denied(testing.plus(using(both), [template({}), queue_of("ttft")])) == {{
		"id": "ROL002",
		"msg": "metric 'ttft' wants a name of its own in all templates of an analysis, found it twice",
		"object": object.union(ref("AnalysisTemplate", "chat-prod"), {"name": "queue"}),
		"path": ["spec", "metrics", 0, "name"],
		"also": [{"object": rollout_ref, "path": step_path([])}],
	}}
	denied(testing.plus(using(named), [template({}), queue_of("ttft")])) == set()
}

queue_of(name) := object.union(template({"metrics": [object.union(metric, {"name": name})]}), {"metadata": {"name": "queue"}})
