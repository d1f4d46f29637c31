package lockgate.exemptions_test

import data.lockgate.exemptions
import rego.v1

whole := {
	"rule": "IMG001",
	"object": "Deployment/chat",
	"environments": ["dev"],
	"reason": "the registry is moving",
	"owner": "ml-platform",
	"expires": "2026-12-08",
	"index": 2,
	"days_left": 14,
	"used": true,
}

environments := {"dev": {"level": "dev"}, "live": {"level": "prod"}}

denied(fields) := of_exemption(object.union(whole, fields))

of_exemption(exemption) := results if {
	found := exemptions.deny with input as {"repository": {"environments": environments, "exemptions": [exemption]}}
	results := {json.unmarshal(json.marshal(json.remove(one, ["fix"]))) | some one in found} # tests/test_fix.py looks at the fixes
}

found(field, msg, rest) := {object.union(
	{
		"id": "EXM001",
		"msg": msg,
		"object": {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"},
		"path": ["exemptions", 2, field],
		"environments": ["dev"],
	},
	rest,
)}

test_whole_exemption_is_silent if denied({}) == set()

test_exm001_missing_fields if {
	every field in ["rule", "object", "reason", "owner"] {
		expected := found(field, sprintf("an exemption wants %s, found none", [field]), {})
		denied({field: ""}) == expected
		denied({field: "  "}) == expected
		of_exemption(object.remove(whole, [field])) == expected
	}
	denied({"expires": "", "days_left": null}) == found("expires", "an exemption wants expires, found none", {})
}

test_exm001_no_day if {
	denied({"expires": "soon", "days_left": null}) == found("expires", "an exemption wants a day (YYYY-MM-DD) in expires, found 'soon'", {})
}

test_exm001_ninety_days if {
	denied({"days_left": 90}) == set()
	denied({"days_left": 91}) == found("expires", "an exemption of dev or canary wants to expire within 90 days, found '2026-12-08' in 91 days", {})
}

test_exm001_thirty_days_in_prod if {
	denied({"days_left": 30, "environments": ["live"]}) == set()
	denied({"days_left": 31, "environments": ["live"]}) == found("expires", "an exemption of prod wants to expire within 30 days, found '2026-12-08' in 31 days", {"environments": ["live"]})
}

# An exemption that names no environment covers all, prod among them.
test_exm001_all_environments if {
	expected := found("expires", "an exemption of prod wants to expire within 30 days, found '2026-12-08' in 31 days", {"environments": ["dev", "live"]})
	denied({"days_left": 31, "environments": []}) == expected
	of_exemption(object.union(object.remove(whole, ["environments"]), {"days_left": 31})) == expected
}

test_exm001_expired if {
	denied({"days_left": 0}) == set()
	denied({"days_left": -1, "used": false}) == found("expires", "the exemption of IMG001 for 'Deployment/chat' expired on 2026-12-08", {"severity": "warning"})
}

test_exm001_unused if {
	denied({"used": false}) == found("rule", "the exemption of IMG001 for 'Deployment/chat' wants a finding to exempt, found none", {"severity": "warning"})
	denied({"used": null}) == set()
}

test_exm001_several_fields if {
	msg := "the exemption of IMG001 for 'Deployment/chat' wants one finding to exempt, found 2: a.b, a.c"
	denied({"fields": ["a.b", "a.c"]}) == found("object", msg, {"severity": "warning"})
	denied({"fields": ["a.b"]}) == set()
	denied({"fields": []}) == set()
}

# A fault of the entry may be why nothing is exempted: one finding.
test_exm001_unused_and_incomplete if {
	{result.path | some result in denied({"used": false, "reason": ""})} == {["exemptions", 2, "reason"]}
}

test_exm001_not_in_an_environment if {
	results := exemptions.deny with input as {"environment": "dev", "objects": []}
	results == set()
}
