package lockgate.lib.credentials_test

import data.lockgate.lib.credentials
import rego.v1

# In parts, so that no scanner takes this file for a leak.
shapes := {
	"Hugging Face token": concat("", ["hf", "_", "abcdefghijklmnopqrst"]),
	"API key": concat("", ["sk", "-", "abcdefghijklmnopqrst"]),
	"AWS access key id": concat("", ["AK", "IA", "ABCDEFGHIJKLMNOP"]),
	"private key": concat("", ["-----BEGIN ", "RSA PRIVATE KEY", "-----"]),
	"JSON Web Token": concat(".", ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "c2lnbmF0dXJlc2ln"]),
	"GitHub token": concat("", ["gh", "p_", "abcdefghijklmnopqrstuvwxyz0123"]),
	"GitLab token": concat("", ["gl", "pat-", "abcdefghijklmnopqrst"]),
	"Slack token": concat("", ["xo", "xb-", "12345678901234567890"]),
	"Google API key": concat("", ["AI", "za", "abcdefghijklmnopqrstuvwxyz012345678"]),
	"NVIDIA API key": concat("", ["nv", "api-", "abcdefghijklmnopqrstuvwxyz0123456789abcd"]),
}

test_every_shape_is_found if {
	every name, text in shapes {
		credentials.found(text).name == name
		credentials.within(sprintf("export X=%s and more", [text]))
	}
}

# One character short of the shape.
test_shorter_is_no_credential if {
	not credentials.within(concat("", ["hf", "_", "abcdefghijklmnopqrs"]))
	not credentials.within(concat("", ["AK", "IA", "ABCDEFGHIJKLMNO"]))
	not credentials.within("-----BEGIN CERTIFICATE-----")
}

test_inside_a_word_is_no_credential if not credentials.within(concat("", ["task", "hf", "_", "abcdefghijklmnopqrst"]))

test_placeholders if {
	not credentials.within(concat("", ["hf", "_", "xxxxxxxxxxxxxxxxxxxxxxxxxx"]))
	not credentials.within(concat("", ["sk", "-", "REPLACEwithYourOwnKey00"]))
}

test_placeholder_beside_a_credential if {
	text := concat(" ", [concat("", ["hf", "_", "xxxxxxxxxxxxxxxxxxxxxxxxxx"]), shapes["GitHub token"]])
	credentials.found(text).name == "GitHub token"
}

test_other_types_hold_none if {
	not credentials.within(7)
	not credentials.within(null)
}

test_description_shows_four_characters if credentials.describe(credentials.found(shapes["API key"])) == "API key 'sk-a...' of 23 characters"
