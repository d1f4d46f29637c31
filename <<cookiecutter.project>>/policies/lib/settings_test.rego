package lockgate.lib.settings_test

import data.lockgate.lib.settings
import rego.v1

test_defaults if {
	settings.startup_budget_seconds == 600
	settings.clusters == {}
}

test_the_teams_numbers if {
	budget := settings.startup_budget_seconds with data.startup_budget_seconds as 1200
	budget == 1200
	clusters := settings.clusters with data.clusters as {"main": {"gpus": 8}}
	clusters == {"main": {"gpus": 8}}
}
