# Values as messages show them.
package lockgate.lib.text

import rego.v1

# 'a', 'b'
quoted(values) := concat(", ", [sprintf("'%v'", [value]) | some value in values])

# ['a', 'b']
list(values) := sprintf("[%s]", [quoted(values)])

# 'a' for a string, true or 7 as they are, none for null.
found(value) := "none" if {
	value == null
} else := sprintf("'%s'", [value]) if {
	is_string(value)
} else := sprintf("%v", [value])
