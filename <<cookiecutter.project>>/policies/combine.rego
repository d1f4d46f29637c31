# Rules see all objects of an environment at once.
package lockgate.combine

import rego.v1

# Under conftest without --combine each object comes alone and most rules would be silent.
violation contains {"msg": "run conftest with --combine: the rules compare the objects of an environment with each other"} if {
	is_object(input)
	input.kind
}
