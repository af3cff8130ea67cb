package emulator

// maxRows is how many rows the platform returns, updates or deletes with one statement.
const maxRows = 100_000
