# Values as messages show them.
package lockgate.lib.text

import rego.v1

# 'a', 'b'
quoted(values) := concat(", ", [sprintf("'%v'", [shown(value)]) | some value in values])

# A scalar as it is, anything else by its type: the engines write lists and mappings differently.
shown(value) := "a list" if {
	is_array(value)
} else := "a mapping" if {
	is_object(value)
} else := value

# ['a', 'b']
list(values) := sprintf("[%v]", [quoted(values)])

# 'a' for a string, true or 7 as they are, none for null.
found(value) := "none" if {
	value == null
} else := sprintf("'%v'", [value]) if {
	is_string(value)
} else := sprintf("%v", [shown(value)])

# The value of a YAML text; undefined for a text without any. Lines that begin with # are taken
# away: regopy 1.5.2 reads no comment after the first key, and never ends on an empty text.
yaml_value(text) := yaml.unmarshal(concat("\n", lines)) if {
	lines := [line | some line in split(text, "\n"); not startswith(line, "#")]
	count([line | some line in lines; trim_space(line) != ""]) > 0
}
