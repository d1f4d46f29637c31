# Exemptions of lockgate.yaml: complete, short, and in use. Seen in the repository document only.
package lockgate.exemptions

import data.lockgate.lib.catalogue
import data.lockgate.lib.results
import rego.v1

# METADATA
# title: An exemption is complete, short and in use
# description: >-
#   An exemption is a promise to mend something. It names the rule, the object, the reason and an owner, and
#   it ends: after 90 days at most, after 30 where it covers prod. When it has ended the finding is back;
#   one that exempts nothing, or several fields at once, hides the next fault.
# custom:
#   id: EXM001
#   scope: repository
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Complete the entry of `exemptions` in lockgate.yaml, set `expires` (YYYY-MM-DD) to a nearer day, name one finding's `field`, or remove the entry.
deny contains result if {
	some exemption in exemptions
	some field in missing(exemption)
	result := exemption_finding(exemption, field, sprintf("an exemption wants %v, found none", [field]))
}

deny contains result if {
	some exemption in exemptions
	has(exemption, "expires")
	not is_number(exemption.days_left)
	result := exemption_finding(exemption, "expires", sprintf("an exemption wants a day (YYYY-MM-DD) in expires, found '%v'", [exemption.expires]))
}

deny contains result if {
	some exemption in exemptions
	limit := days_allowed(exemption)
	is_number(exemption.days_left)
	exemption.days_left > limit
	result := exemption_finding(exemption, "expires", sprintf("an exemption of %v wants to expire within %v days, found '%v' in %v days", [
		levels_text(exemption),
		limit,
		exemption.expires,
		exemption.days_left,
	]))
}

deny contains result if {
	some exemption in exemptions
	is_number(exemption.days_left)
	exemption.days_left < 0
	result := warning(exemption_finding(exemption, "expires", sprintf("the exemption of %v for '%v' expired on %v", [
		exemption.rule,
		exemption.object,
		exemption.expires,
	])))
}

# A fault of the entry itself comes first: it may be why nothing is exempted.
deny contains result if {
	some exemption in exemptions
	exemption.used == false
	count(missing(exemption)) == 0
	is_number(exemption.days_left)
	exemption.days_left >= 0
	found := exemption_finding(exemption, "rule", sprintf("the exemption of %v for '%v' wants a finding to exempt, found none", [
		exemption.rule,
		exemption.object,
	]))
	result := warning(results.with_fix(found, [{"op": "remove", "path": ["exemptions", exemption.index]}]))
}

# What it was meant for is one of them; the others, and those that come, are hidden with it.
deny contains result if {
	some exemption in exemptions
	fields := object.get(exemption, "fields", [])
	count(fields) > 1
	result := warning(exemption_finding(exemption, "object", sprintf("the exemption of %v for '%v' wants one finding to exempt, found %v: %v", [
		exemption.rule,
		exemption.object,
		count(fields),
		concat(", ", fields),
	])))
}

exemptions := input.repository.exemptions

missing(exemption) := [field |
	some field in ["rule", "object", "reason", "owner", "expires"]
	not has(exemption, field)
]

has(exemption, field) if trim_space(exemption[field]) != ""

exemption_finding(exemption, field, msg) := object.union(
	results.settings_finding("EXM001", ["exemptions", exemption.index, field], msg),
	{"environments": covered(exemption)},
)

warning(result) := object.union(result, {"severity": "warning"})

# Environments that the exemption covers: those it names, else all.
covered(exemption) := sort(exemption.environments) if {
	count(exemption.environments) > 0
} else := sort(object.keys(input.repository.environments))

days_allowed(exemption) := catalogue.exemption_limits.prod_days if {
	covers_prod(exemption)
} else := catalogue.exemption_limits.days

covers_prod(exemption) if {
	some name in covered(exemption)
	object.get(input.repository.environments, [name, "level"], name) == "prod"
}

levels_text(exemption) := "prod" if {
	covers_prod(exemption)
} else := "dev or canary"
