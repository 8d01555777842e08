# Every strategy that git wants to run declares a margin_limit, in one currency and no higher than here.
# The same is built in as policy.max_margin_limit of connections.yaml.
#
#   reconcile --dry-run --out plan.json
#   conftest test --policy examples/policy plan.json
package main

import rego.v1

max_margin_limit := {"amount": 1000, "currency": "USDT"}

deny contains msg if {
	some action in input.actions
	action.enabled
	not margin_within_limit(action.desired)
	msg := sprintf("%s: needs a margin_limit of at most %v %s", [
		action.strategy,
		max_margin_limit.amount,
		max_margin_limit.currency,
	])
}

# Undefined, and so denied, where there is no limit at all.
margin_within_limit(wanted) if {
	wanted.margin_limit.currency == max_margin_limit.currency
	to_number(wanted.margin_limit.amount) <= max_margin_limit.amount
}

# Another file, or another major version, would hold nothing to deny.
deny contains "this is no plan of reconcile in format 1.1 or a later 1.x" if {
	not regex.match(`^1\.[1-9][0-9]*$`, input.format_version)
}
