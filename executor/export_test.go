package executor

import "slices"

// Rules are the protocol's rules that a test can switch off.
var Rules = []string{"numbers", "replan", "fence", "owed", "branch id", "heartbeat", "margin", "read back", "confirm", "seen", "two looks", "give way"}

// Without switches rules off.
func (r *Run) Without(rules ...string) {
	off := func(rule string) bool { return slices.Contains(rules, rule) }
	r.without = without{numbers: off("numbers"), replan: off("replan"), fence: off("fence"), owed: off("owed"), branchID: off("branch id"),
		heartbeat: off("heartbeat"), margin: off("margin"), readBack: off("read back"), confirm: off("confirm"), seen: off("seen"), twoLooks: off("two looks"), giveWay: off("give way")}
}
