# What a pinned vLLM version understands and says: lookups in policies/data/vllm.json, whose first
# version is written out and the others by what differs from it. An unknown version decides nothing.
package lockgate.lib.contract

import data.lockgate.lib.catalogue
import data.lockgate.lib.vllm
import rego.v1

# The version of lockgate.yaml; undefined when it is not in the catalogue.
pinned := version if {
	version := data.versions.vllm
	catalogue.vllm.versions[version]
}

# Engines whose version is known: {"engine", "version"}. The tag of vLLM's own image says more than
# lockgate.yaml, without which no engine is judged.
engines := [{"engine": engine, "version": version} |
	data.versions.vllm
	some engine in vllm.engines
	version := version_of(engine.container.image)
	catalogue.vllm.versions[version]
]

version_of(image) := found[0][1] if {
	found := regex.find_all_string_submatch_n(`/vllm-openai:v(\d+\.\d+\.\d+)(@|$)`, image, 1)
	count(found) > 0
} else := data.versions.vllm

# vLLM's own image, which holds no plugin.
plain_image(image) if regex.match(`(^|/)vllm/vllm-openai[:@]`, image)

# What a version has under a name of a section ("flags", "variables", "metrics"). For messages only: each
# call costs the embedded engine a copy of the section.
lookup(version, section, name) := found if {
	found := catalogue.vllm.versions[version][section][name]
} else := found if {
	found := catalogue.vllm[section][name]
	not catalogue.vllm.versions[version].without[section][name]
}

# argparse takes the beginning of a name for the name.
begins_flag(version, name) if {
	some full
	catalogue.vllm.versions[version].flags[full]
	startswith(full, name)
}

begins_flag(version, name) if {
	some full
	catalogue.vllm.flags[full]
	startswith(full, name)
	lookup(version, "flags", full)
}

# Why a name is unknown, as the end of a sentence; empty when nobody knows.
explanation(version, section, name, shown) := sprintf(", which %v replaces", [renamed(shown, new)]) if {
	new := catalogue.vllm.renamed[section][name]
} else := sprintf(", which went away in %v", [release]) if {
	release := catalogue.vllm.gone[section][name]
	not newer(release, version)
} else := sprintf(", which %v has", [other]) if {
	other := first_with(version, section, name)
} else := sprintf(", did you mean '%v'?", [renamed(shown, close)]) if {
	close := closest(version, section, name)
} else := ""

# A name written as the other one is: with dashes or without.
renamed("", name) := name

renamed(prefix, name) := concat("", [prefix, name]) if prefix != ""

# Another version of the catalogue that has the name.
first_with(version, section, name) := sort(found)[0] if {
	found := [other |
		some other
		catalogue.vllm.versions[other]
		other != version
		lookup(other, section, name)
	]
	count(found) > 0
}

# Is the release (0.18) newer than the version (0.32.0)?
newer(release, version) if {
	left := [to_number(part) | some part in split(release, ".")]
	right := [to_number(part) | some part in split(version, ".")]
	left[0] > right[0]
}

newer(release, version) if {
	left := [to_number(part) | some part in split(release, ".")]
	right := [to_number(part) | some part in split(version, ".")]
	left[0] == right[0]
	left[1] > right[1]
}

# The name of a section most like the wanted one: most pairs of letters in common; undefined when none
# is like it. Only names that begin or end alike are looked at: each costs the embedded engine.
closest(version, section, wanted) := min(best) if {
	scores := [entry |
		some name in array.concat(alike(catalogue.vllm[section], wanted), alike(object.get(catalogue.vllm.versions[version], section, {}), wanted))
		lookup(version, section, name)
		entry := {"name": name, "score": score(pairs(name), pairs(wanted))}
		entry.score >= 60
	]
	top := max([entry.score | some entry in scores])
	best := [entry.name | some entry in scores; entry.score == top]
}

score(some_pairs, other_pairs) := floor((200 * count(some_pairs & other_pairs)) / (count(some_pairs) + count(other_pairs)))

alike(known, wanted) := [name |
	start := start_of(wanted)
	end := substring(wanted, count(wanted) - 3, 3)
	some name
	known[name]
	begins_or_ends(name, start, end)
]

# A variable's or metric's first letters say nothing.
start_of(name) := substring(name, 0, 7) if strings.any_prefix_match(name, ["VLLM_", "vllm:"])

start_of(name) := substring(name, 0, 2) if not strings.any_prefix_match(name, ["VLLM_", "vllm:"])

begins_or_ends(name, start, _) if startswith(name, start)

begins_or_ends(name, _, end) if endswith(name, end)

pairs(text) := {substring(text, i, 2) | some i in numbers.range(0, count(text) - 2)}
