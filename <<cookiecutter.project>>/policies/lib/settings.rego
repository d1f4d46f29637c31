# lockgate.yaml as the rules see it, with its defaults.
package lockgate.lib.settings

import rego.v1

# Seconds from container start to a ready server.
default startup_budget_seconds := 600

startup_budget_seconds := data.startup_budget_seconds

default clusters := {}

clusters := data.clusters

# The file itself, as the object of a finding.
ref := {"apiVersion": "lockgate", "kind": "Settings", "namespace": "", "name": "lockgate.yaml"}
