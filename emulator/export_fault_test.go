package emulator

// FaultKinds is every kind of fault, for the test that holds the documents to it.
func FaultKinds() []FaultKind { return faultKinds }
