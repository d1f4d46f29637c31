# What argparse would say of a flag's value.
package lockgate.lib.flag_values

import data.lockgate.lib.text
import rego.v1

# What is wrong with a flag's value, as the end of a sentence; undefined when nothing surely is.
value_fault(spot, flag) := fault if {
	fault := switch_fault(spot, flag)
} else := "a value, found none" if {
	spot.value == true
	takes_value(flag)
} else := sprintf("one value, found %v", [count(spot.value)]) if {
	is_array(spot.value)
	count(spot.value) > 1
	not endswith(kind(flag), "+")
	not endswith(kind(flag), "+?")
	takes_value(flag)
} else := sprintf("%v, found '%v'", [fault, one]) if {
	some one in values(spot.value)
	fault := type_fault(flag, one)
}

switch_fault(spot, flag) := sprintf("no value, found '%v'", [text.shown(spot.value)]) if {
	flag in {"switch", "on"}
	not is_boolean(spot.value)
	surely_value(spot)
}

# The word after a switch may be the model.
surely_value(spot) if spot.attached

surely_value(spot) if spot.file

surely_value(spot) if spot.value in {"true", "false", "True", "False", "0", "1", "yes", "no"}

takes_value(flag) if {
	not flag in {"switch", "on", "any"}
	not endswith(kind(flag), "*")
}

# The type of a flag as one word.
kind(flag) := flag if is_string(flag)

kind(flag) := "str" if is_array(flag)

kind(flag) := flag.type if is_object(flag)

choices(flag) := flag if is_array(flag)

choices(flag) := flag.choices if is_object(flag)

# Texts that argparse would get.
values(value) := [value] if is_string(value)

values(value) := [sprintf("%v", [value])] if is_number(value)

values(value) := [sprintf("%v", [item]) | some item in value; judged_item(item)] if is_array(value)

judged_item(item) if is_string(item)

judged_item(item) if is_number(item)

type_fault(flag, one) := fault if {
	not allowed_none(flag, one)
	not contains(one, "$")
	fault := wanted(flag, one)
}

allowed_none(flag, one) if {
	endswith(kind(flag), "?")
	one in {"", "None"}
}

wanted(flag, one) := sprintf("one of %v", [concat(", ", choices(flag))]) if {
	not chosen(flag, one) in choices(flag)
} else := shape.says if {
	shape := shapes[trim_right(kind(flag), "+?*")]
	not regex.match(shape.pattern, one)
}

# Some flags take a choice in any case, with dashes too.
chosen(flag, one) := replace(lower(one), "-", "_") if {
	flag.folded
} else := one

shapes := {
	"int": {"says": "a whole number", "pattern": `^\s*[+-]?[0-9][0-9_]*\s*$`},
	"float": {"says": "a number", "pattern": `^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+|inf|nan)([eE][+-]?[0-9]+)?\s*$`},
	"count": {"says": "a whole number such as 8192 or 8k", "pattern": `^\s*([+-]?[0-9]+|[0-9]+(\.[0-9]+)?[kKmMgGtT]|auto)\s*$`},
	"json": {"says": "JSON", "pattern": `^\s*([\[{"0-9-]|true|false|null)`},
}
