package planner

// Severity says what a finding does to a run.
type Severity string

// The severities.
const (
	SeverityNote    Severity = "note"    // worth knowing
	SeverityWarning Severity = "warning" // look before you apply
	SeverityError   Severity = "error"   // apply refuses
)

// Finding is something a reader of the plan should know.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Source   string   `json:"source,omitempty"`
	File     string   `json:"file,omitempty"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
}

// The codes of findings.
const (
	CodeSafeMigrationsOff = "safe-migrations-off"
	CodeTargetNotReady    = "target-not-ready"
	CodeApproval          = "approval-required"
	CodeOrphans           = "history-orphans"
	CodeLate              = "late-migration"
	CodeDirty             = "history-dirty"
	CodeLocked            = "history-locked"
	CodeBaseline          = "history-empty"
	CodeFile              = "migration-file"
	CodeReverted          = "reverted"
	CodeStopped           = "stopped"
	CodeDeployFailed      = "deploy-failed"
	CodeAcknowledged      = "acknowledged"
	CodeNoFiles           = "no-migrations"
	CodeUnfinished        = "unfinished"
	CodeCopySetting       = "copy-migration-data"
)
