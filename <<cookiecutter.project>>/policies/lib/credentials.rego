# Credentials known by the shape of their value, never by the name of their key.
package lockgate.lib.credentials

import data.lockgate.lib.catalogue
import rego.v1

# One pattern for a first look, so that a text without credentials costs one match.
any_shape := concat("|", [shape.pattern | some shape in catalogue.credentials.shapes])

# The first credential in a text: {"name", "value"}. Undefined when there is none, or only placeholders.
found(text) := listed(text)[0] if {
	is_string(text)
	regex.match(any_shape, text)
}

# Apart from `found`: the embedded engine would search before it takes the first look.
listed(text) := [{"name": shape.name, "value": value} |
	some shape in catalogue.credentials.shapes
	some value in regex.find_n(shape.pattern, text, -1)
	not regex.match(catalogue.credentials.placeholder, lower(value))
]

# Is there a credential in the text?
within(text) if found(text)

# What a message may say of a credential: its kind, its first four characters, its length.
describe(credential) := sprintf("%v '%v...' of %v characters", [
	credential.name,
	substring(credential.value, 0, 4),
	count(credential.value),
])
