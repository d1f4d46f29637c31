# Kubernetes quantities as numbers. Undefined for what is no quantity.
package lockgate.lib.quantity

import data.lockgate.lib.catalogue
import rego.v1

factors := {
	"": 1,
	"k": 1000,
	"M": 1000000,
	"G": 1000000000,
	"T": 1000000000000,
	"P": 1000000000000000,
	"E": 1000000000000000000,
	"Ki": 1024,
	"Mi": 1048576,
	"Gi": 1073741824,
	"Ti": 1099511627776,
	"Pi": 1125899906842624,
	"Ei": 1152921504606846976,
}

# The largest number that both engines round, divide and print alike.
largest := 1000000000000

smallest := -1000000000000

# A number without a fraction; undefined for anything else, and for what is too large to be meant.
whole_number(n) := n if {
	is_number(n)
	n <= largest
	n >= smallest
	n == floor(n)
}

# The whole number that a flag or a limit means: 2, -1 or "2".
whole_value(value) := whole_number(value) if is_number(value)

whole_value(value) := to_number(value) if {
	is_string(value)
	regex.match(`^-?[0-9]{1,12}$`, value)
}

# Bytes of "16Gi", 1024, "129e6".
bytes(q) := round(amount(q))

# Thousandths of "250m", "2", 0.5.
milli(q) := round(amount(q) * 1000)

amount(q) := q if is_number(q)

amount(q) := number * factors[found[0][2]] if {
	is_string(q)
	found := regex.find_all_string_submatch_n(`^([0-9]+\.?[0-9]*)([a-zA-Z]*)$`, q, 1)
	number := to_number(found[0][1])
}

# A decimal factor would not be exact.
amount(q) := to_number(trim_suffix(q, "m")) / 1000 if {
	is_string(q)
	regex.match(`^[0-9]+\.?[0-9]*m$`, q)
}

amount(q) := to_number(q) if {
	is_string(q)
	regex.match(`^[0-9]+\.?[0-9]*[eE][+-]?[0-9]+$`, q)
}

# Bytes that nobody means: `memory: 64` or `512m`, whose unit was forgotten or taken for megabytes.
without_unit(q) if {
	unit_said(q) != ""
	number := amount(q)
	number > 0
	number < catalogue.thresholds.least_bytes
}

# What a message adds to bytes without a unit.
unit_said(q) := " bytes" if {
	is_number(q)
} else := " bytes" if {
	regex.match(`^[0-9.]+$`, q)
} else := " (thousandths of a byte)" if {
	regex.match(`^[0-9.]+m$`, q)
} else := ""
