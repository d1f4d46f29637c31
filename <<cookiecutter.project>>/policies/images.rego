# Container images: pinned to one content, from a known place.
package lockgate.images

import data.lockgate.lib.catalogue
import data.lockgate.lib.environment
import data.lockgate.lib.results
import data.lockgate.lib.text
import data.lockgate.lib.workloads
import rego.v1

# METADATA
# title: Container images are pinned
# description: >-
#   A tag can be pushed again, so two pods of one release may run different programs and a
#   rollback may not bring the old one back. Canary and prod name the image by digest; dev may
#   use a tag, but one that is meant to stay.
# related_resources:
#   - https://kubernetes.io/docs/concepts/containers/images/#image-names
# custom:
#   id: IMG001
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Set `digest` (sha256 and 64 hex digits) beside `newTag` in the release's `images` entry; `lockgate pin` looks it up and writes it.
deny contains result if {
	some entry in workloads.containers
	image := parts(entry.container.image)
	not placeholder(image)
	fault := pin_fault(image)
	result := results.finding("IMG001", entry.object, array.concat(entry.path, ["image"]), sprintf("wants an image that stays the same, found '%v': %v", [
		entry.container.image,
		fault,
	]))
}

# Beside a digest nobody reads the tag.
pin_fault(image) := sprintf("the tag '%v' moves", [image.tag]) if {
	image.digest == ""
	moving(image.tag)
} else := "the digest is not sha256 with 64 hex digits" if {
	image.digest != ""
	not regex.match(`^sha256:[0-9a-f]{64}$`, image.digest)
} else := "it has no tag, which means 'latest'" if {
	image.digest == ""
	image.tag == ""
	environment.level == "dev"
} else := "it has no digest" if {
	image.digest == ""
	environment.level != "dev"
}

moving(tag) if tag in catalogue.image_tags.moving

moving(tag) if strings.any_prefix_match(tag, catalogue.image_tags.moving_prefixes)

# METADATA
# title: Container images come from an allowed repository
# description: >-
#   A registry that nobody vouches for can serve any program into the cluster, and one that the
#   cluster cannot reach leaves the pod in ImagePullBackOff. Init containers count.
# custom:
#   id: IMG002
#   scope: object
#   severity: {dev: error, canary: error, prod: error}
#   remediation: Use an image of `images.allowed` in lockgate.yaml (registry and repository, exact), or add the repository there after a review.
deny contains result if {
	allowed := data.images.allowed
	count(allowed) > 0
	some entry in workloads.containers
	image := parts(entry.container.image)
	not image.repository in allowed
	not awaits_entry(image)

	# The step below the image is the part that an `images` entry writes as newName.
	place := array.concat(entry.path, ["image", "name"])
	result := results.finding("IMG002", entry.object, place, sprintf("wants an image of %v, found '%v' of '%v'", [
		text.quoted(allowed),
		entry.container.image,
		image.repository,
	]))
}

# A bare name is what an `images` entry replaces. Left over, it is IMG002's alone; and KUS001's
# when an entry names no image, for then the entry is what to mend.
placeholder(image) if {
	image.bare
	image.tag == ""
	image.digest == ""
}

awaits_entry(image) if {
	placeholder(image)
	some entry in input.kustomize.entries
	entry.type == "image"
	entry.matched == false
}

# An image reference: {"repository": registry and path, "tag", "digest", "bare": neither registry nor path}.
parts(reference) := {"repository": canonical(path), "tag": tag, "digest": digest, "bare": count(path) == 1} if {
	is_string(reference)
	halves := split(reference, "@")
	steps := split(halves[0], "/")
	last := split(steps[count(steps) - 1], ":")
	path := array.concat(array.slice(steps, 0, count(steps) - 1), [last[0]])
	tag := concat("", array.slice(last, 1, 2))
	digest := concat("@", array.slice(halves, 1, count(halves)))
}

# The path with its registry, as a container runtime completes it.
canonical(path) := concat("/", path) if {
	has_host(path)
	path[0] != "index.docker.io"
} else := concat("/", array.concat(["docker.io"], array.slice(path, 1, count(path)))) if {
	path[0] == "index.docker.io"
} else := concat("/", array.concat(["docker.io"], path)) if {
	count(path) > 1
} else := concat("/", ["docker.io", "library", path[0]])

has_host(path) if {
	count(path) > 1
	regex.match(`[.:]|^localhost$`, path[0])
}

# METADATA
# title: prod runs what canary runs
# description: >-
#   A release goes up one level at a time. An image or a model in prod that canary does not run was tried by
#   nobody; after canary has moved on, it says that prod waits for the next promotion.
# custom:
#   id: IMG003
#   scope: repository
#   severity: {prod: warning}
#   remediation: Promote the release of canary to prod (`lockgate promote prod`), so that `digest` and `revision` are the same.
deny contains result if {
	some pair in compared
	some part in parts_of_a_release
	ours := pair.prod[part.field]
	ours != ""
	theirs := [found | some one in pair.canary; found := one[part.field]; found != ""]
	count(theirs) > 0
	not ours in theirs
	place := pair.prod[part.place]
	found := results.finding_at("IMG003", place.object, place.path, sprintf("container '%v' of %v wants the %v of canary (%v), found %v", [
		pair.prod.container,
		pair.name,
		part.what,
		shortened(theirs[0]),
		shortened(ours),
	]))
	result := object.union(found, {"environments": [pair.name]})
}

parts_of_a_release := [
	{"field": "digest", "place": "image_place", "what": "image digest"},
	{"field": "revision", "place": "revision_place", "what": "model revision"},
]

# Each server of prod with its like in the canary environments.
compared := [{"name": name, "prod": one, "canary": same} |
	some name in names_of("prod")
	servers := input.repository.environments[name].facts.release
	some one in servers
	same := likes(one, count(servers))
	count(same) > 0
]

names_of(level) := [name |
	some name in sort(object.keys(object.get(input, ["repository", "environments"], {})))
	input.repository.environments[name].level == level
]

# By its id; where an environment has one server only, the name may be another.
likes(one, number) := [other |
	some name in names_of("canary")
	others := input.repository.environments[name].facts.release
	some other in others
	alike(one, other, number + count(others))
]

alike(one, other, _) if one.id == other.id

alike(one, other, number) if {
	one.id != other.id
	number == 2
}

shortened(value) := substring(trim_prefix(value, "sha256:"), 0, 12)
