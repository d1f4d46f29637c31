package lockgate.lib.text_test

import data.lockgate.lib.text
import rego.v1

test_comments_between_keys if {
	text.yaml_value("# a\nmodel: x\n# b\n\n#c\nsize: 2 # d\n") == {"model": "x", "size": 2}
}

test_a_comment_ends_a_block if {
	text.yaml_value("a: |\n  x\n# c\nb: 2\n") == {"a": "x\n", "b": 2}
}

test_nothing_has_no_value if {
	every nothing in ["", "\n", " \n", "# only a comment\n"] {
		not text.yaml_value(nothing)
	}
}

test_no_yaml_has_no_value if {
	not text.yaml_value("a: [\n")
}
