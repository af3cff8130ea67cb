package emulator

// Routes is every method and path that the API serves, for the contract test to
// hold itself to.
func Routes() (all []string) {
	for _, ep := range endpoints() {
		all = append(all, ep.method+" "+ep.path)
	}
	return all
}
