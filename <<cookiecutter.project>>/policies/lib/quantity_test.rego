package lockgate.lib.quantity_test

import data.lockgate.lib.quantity
import rego.v1

test_bytes if {
	quantity.bytes("16Gi") == 17179869184
	quantity.bytes("1.5Ki") == 1536
	quantity.bytes("2M") == 2000000
	quantity.bytes("129e6") == 129000000
	quantity.bytes("1500m") == 2
	quantity.bytes(1024) == 1024
	quantity.bytes("1024") == 1024
}

test_milli if {
	quantity.milli("250m") == 250
	quantity.milli("2") == 2000
	quantity.milli(0.5) == 500
}

test_what_is_no_quantity if {
	not quantity.bytes("lots")
	not quantity.bytes("1Xi")
	not quantity.bytes("$(SIZE)")
	not quantity.bytes(null)
}

test_without_a_unit if {
	every q in [64, 0.5, "64", "1048575", "512m", "999999m"] {
		quantity.without_unit(q)
	}
	every q in [0, "0", 1048576, "1048576", "1Ki", "64M", "x", "", null, true, [64], {"a": 1}] {
		not quantity.without_unit(q)
	}
}
