# Averaging (martingale) never makes a position larger than so many times its first order. All orders
# together are the sum of multiplier to the powers from 0 to max_additions.
# The same is built in as policy.max_averaging_factor of connections.yaml.
#
#   reconcile --dry-run --out plan.json
#   conftest test --policy examples/policy plan.json
package main

import rego.v1

max_averaging_factor := 10

deny contains msg if {
	some action in input.actions
	action.enabled
	not averaging_within_limit(action.desired)
	msg := sprintf("%s: averaging may make its position at most %v times the first order", [
		action.strategy,
		max_averaging_factor,
	])
}

averaging_within_limit(wanted) if {
	is_object(wanted)
	not "averaging" in object.keys(wanted)
}

averaging_within_limit(wanted) if averaging_factor(wanted.averaging) <= max_averaging_factor

averaging_factor(averaging) := factor if {
	multiplier := to_number(averaging.multiplier)
	orders := numbers.range(0, averaging.max_additions)
	factor := sum([size |
		some order in orders
		size := product([multiplier | some earlier in orders; earlier < order])
	])
}

# Another file, or another major version, would hold nothing to deny.
deny contains "this is no plan of reconcile in format 1.1 or a later 1.x" if {
	not regex.match(`^1\.[1-9][0-9]*$`, input.format_version)
}
