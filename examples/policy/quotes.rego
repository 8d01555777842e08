# Strategies trade only against listed currencies: the quote of every pair and, of futures, the settlement
# too (USD and BTC in ETH/USD:BTC).
# The same is built in as policy.allowed_quotes of connections.yaml.
#
#   reconcile --dry-run --out plan.json
#   conftest test --policy examples/policy plan.json
package main

import rego.v1

allowed_quotes := {"USDT", "USDC"}

deny contains msg if {
	some action in input.actions
	action.enabled
	not quotes_allowed(action.desired)
	outside := [pair | some pair in action.desired.pairs; not quote_allowed(pair)]
	msg := sprintf("%s: trades %v, and only %v may be quote or settlement", [action.strategy, outside, allowed_quotes])
}

quotes_allowed(wanted) if {
	every pair in wanted.pairs { quote_allowed(pair) }
}

# ETH/USD:BTC-261225 is quoted in USD and settled in BTC, at the end of that day.
quote_allowed(pair) if {
	every part in split(split(pair, "/")[1], ":") {
		split(part, "-")[0] in allowed_quotes
	}
}

# Another file, or another major version, would hold nothing to deny.
deny contains "this is no plan of reconcile in format 1.1 or a later 1.x" if {
	not regex.match(`^1\.[1-9][0-9]*$`, input.format_version)
}
