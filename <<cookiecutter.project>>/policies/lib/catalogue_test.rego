package lockgate.lib.catalogue_test

import data.lockgate.lib.catalogue
import rego.v1

test_files_as_conftest_loads_them if {
	thresholds := catalogue.thresholds with data.thresholds as {"a": 1} with data.data as {}
	thresholds == {"a": 1}
	gpus := catalogue.gpus with data.gpus as {"a": 2} with data.data as {}
	gpus == {"a": 2}
	accelerators := catalogue.accelerators with data.accelerators as {"a": 3} with data.data as {}
	accelerators == {"a": 3}
	models := catalogue.models with data.models as {"a": 4} with data.data as {}
	models == {"a": 4}
}

test_files_as_opa_test_loads_them if {
	catalogue.thresholds.liveness_seconds == 60
	count(catalogue.gpus.resource_keys) > 0
	count(catalogue.accelerators) > 0
	count(catalogue.models) > 0
}
