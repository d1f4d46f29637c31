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
	models := catalogue.models with data.known_models as {"a": 4} with data.data as {}
	models == {"a": 4}
	memory := catalogue.memory with data.memory as {"a": 5} with data.data as {}
	memory == {"a": 5}
}

test_files_as_opa_test_loads_them if {
	catalogue.thresholds.liveness_seconds == 60
	count(catalogue.gpus.resource_keys) > 0
	count(catalogue.accelerators) > 0
	count(catalogue.models) > 0
	count(catalogue.memory) > 0
}

# The second line of each pair reads the real file: opa loads it as data.data.NAME, conftest as data.NAME.
test_each_name_both_ways if {
	credentials_top := catalogue.credentials with data.credentials as 1 with data.data as {}
	credentials_top == 1
	count(catalogue.credentials) > 0
	caches_top := catalogue.caches with data.caches as 1 with data.data as {}
	caches_top == 1
	count(catalogue.caches) > 0
	provided_top := catalogue.provided with data.provided as 1 with data.data as {}
	provided_top == 1
	count(catalogue.provided) > 0
	selectors_top := catalogue.selectors with data.selectors as 1 with data.data as {}
	selectors_top == 1
	count(catalogue.selectors) > 0
	exemption_limits_top := catalogue.exemption_limits with data.exemption_limits as 1 with data.data as {}
	exemption_limits_top == 1
	count(catalogue.exemption_limits) > 0
	image_tags_top := catalogue.image_tags with data.image_tags as 1 with data.data as {}
	image_tags_top == 1
	count(catalogue.image_tags) > 0
}
