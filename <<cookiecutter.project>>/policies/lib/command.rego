# The words of a container's command line, with the values of its variables.
package lockgate.lib.command

import data.lockgate.lib.objects
import data.lockgate.lib.text
import rego.v1

# Command and args of a container, one entry per word, with the place of each:
# {"text", "path"}. A `sh -c` script is split into its words.
words(entry) := plain if {
	plain := written_words(entry)
	not contains(concat(" ", [word.text | some word in plain]), "$")
} else := [word |
	some plain in written_words(entry)
	word := {"text": expand(entry, plain.text), "path": plain.path}
]

written_words(entry) := script_words(items) if {
	items := raw_words(entry)
	is_shell(items)
} else := raw_words(entry)

raw_words(entry) := [item |
	some field in ["command", "args"]
	list := entry.container[field]
	is_array(list)
	some i
	word := list[i]
	item := {"text": format(word), "path": array.concat(entry.path, [field, i])}
]

format(word) := word if is_string(word)

# A list or mapping is no word: unknown, as a variable that nobody sets.
format(word) := sprintf("%v", [word]) if not is_string(text.shown(word))

format(word) := "$" if {
	not is_string(word)
	is_string(text.shown(word))
}

words_of_script(entry) if {
	is_shell(raw_words(entry))
} else := false

is_shell(items) if {
	base_name(items[0].text) in {"sh", "bash", "dash", "ash"}
	some item in array.slice(items, 1, 3)
	startswith(item.text, "-")
	endswith(item.text, "c")
}

base_name(path) := parts[count(parts) - 1] if {
	parts := split(path, "/")
}

script_words(items) := [item |
	scripts := [word |
		some i
		word := items[i]
		i > 0
		not startswith(word.text, "-")
	]
	script := scripts[0]
	whole := regex.replace(script.text, `\\\r?\n`, " ")
	spaced := regex.replace(whole, `(&&|\|\|?|;|\n)`, " ; ")
	some part in regex.split(`\s+`, regex.replace(spaced, `["']`, ""))
	part != ""
	item := {"text": part, "path": script.path}
]

# $(NAME), ${NAME} and $NAME by the container's own variables; what stays is unknown.
expand(_, word) := word if not contains(word, "$")

expand(entry, word) := expanded(entry, word) if contains(word, "$")

# Apart from `expand`: the embedded engine reads the variables before it looks at the guard.
expanded(entry, word) := tail_expanded(known, strings.replace_n(patterns, word)) if {
	known := literals(entry)
	braced := {sprintf("${%v}", [name]): v | some name, v in known}
	rounded := {sprintf("$(%v)", [name]): v | some name, v in known}
	patterns := object.union(braced, rounded)
}

tail_expanded(known, word) := concat("", [found[0][1], known[found[0][2]]]) if {
	found := regex.find_all_string_submatch_n(tail_pattern, word, 1)
} else := word

tail_pattern := `^(.*)\$([A-Za-z_][A-Za-z0-9_]*)$`

# Variables whose value the repository says: literal, or a key of a rendered ConfigMap.
literals(entry) := {name: texts[count(texts) - 1] |
	places := variable_places(entry)
	some name in {place.name | some place in places}
	texts := [place.text |
		some place in places
		place.name == name
	]
	not contains(texts[count(texts) - 1], "$")
}

variable_places(entry) := array.concat(literal_places(entry), config_places(entry))

literal_places(entry) := [place |
	list := object.get(entry.container, "env", [])
	some i
	variable := list[i]
	not variable.valueFrom
	place := {
		"name": variable.name,
		"text": format(object.get(variable, "value", "")),
		"object": objects.slim(entry.object),
		"path": array.concat(entry.path, ["env", i, "value"]),
	}
]

config_places(entry) := [place |
	some variable in object.get(entry.container, "env", [])
	source := variable.valueFrom.configMapKeyRef
	config := objects.named("ConfigMap", objects.namespace(entry.object), source.name)
	place := {
		"name": variable.name,
		"text": config.data[source.key],
		"object": objects.slim(config),
		"path": ["data", source.key],
	}
]
