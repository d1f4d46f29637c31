package lockgate.lib.environment_test

import data.lockgate.lib.environment
import rego.v1

labelled(kind, name) := {"path": "-", "contents": {"kind": kind, "metadata": {"name": "x", "labels": {"environment": name}}}}

test_name_of_lockgates_document if {
	name := environment.name with input as {"environment": "canary", "objects": []}
	name == "canary"
}

test_name_under_conftest if {
	namespace := environment.name with input as [labelled("Service", "dev"), labelled("Namespace", "prod")]
	namespace == "prod"
	first := environment.name with input as [{"path": "-", "contents": {"kind": "Secret"}}, labelled("Service", "dev")]
	first == "dev"
	not environment.name with input as [{"path": "-", "contents": {"kind": "Secret"}}]
}

test_settings_and_level if {
	settings := {"eu": {"level": "prod", "pool": "p", "gpu_budget": 4}}
	entry := environment.settings with input as {"environment": "eu"} with data.environments as settings
	entry == settings.eu
	level := environment.level with input as {"environment": "eu"} with data.environments as settings
	level == "prod"
	pool := environment.pool with input as {"environment": "eu"} with data.environments as settings with data.pools as {"p": {"gpus": 8}}
	pool == {"gpus": 8}
}

test_level_is_the_name_by_default if {
	bare := environment.level with input as {"environment": "dev"} with data.environments as {}
	bare == "dev"
	unsaid := environment.level with input as {"environment": "dev"} with data.environments as {"dev": {}}
	unsaid == "dev"
}
