package planetscale

import (
	"encoding/json"
	"strings"
	"time"
)

// A Deployment is what becomes of a deploy request.
type Deployment struct {
	ID    string `json:"id"`
	State State  `json:"state"`
	// Deployable stays true while deploying and after; see DeployRequest.MayDeploy.
	Deployable          bool   `json:"deployable"`
	DeployRequestNumber int    `json:"deploy_request_number"`
	IntoBranch          string `json:"into_branch"`
	// AutoCutover false makes the deploy wait for a person once it is copied.
	AutoCutover        bool `json:"auto_cutover"`
	AutoDeleteBranch   bool `json:"auto_delete_branch"`
	InstantDDL         bool `json:"instant_ddl"`
	InstantDDLEligible bool `json:"instant_ddl_eligible"`
	// Operations are the statements that the platform found to be needed.
	Operations        []Operation `json:"deploy_operations"`
	LintErrors        []LintError `json:"lint_errors"`
	DeployCheckErrors Messages    `json:"deploy_check_errors"`
	// Preceding are the deployments ahead in the queue.
	Preceding []Deployment `json:"preceding_deployments"`
	// RevertRequest is nil where the deploy can't be reverted.
	RevertRequest    *RevertRequest `json:"deployment_revert_request"`
	CutoverExpiring  bool           `json:"cutover_expiring"`
	QueuePaused      bool           `json:"queue_paused"`
	QueuePauseReason string         `json:"queue_pause_reason"`
	TableLocked      bool           `json:"table_locked"`
	LockedTableName  string         `json:"locked_table_name"`
	// Actor may be a placeholder where the description says null.
	Actor                   *Actor     `json:"actor"`
	CutoverActor            *Actor     `json:"cutover_actor"`
	CancelledActor          *Actor     `json:"cancelled_actor"`
	SchemaLastUpdatedAt     *time.Time `json:"schema_last_updated_at"`
	CreatedAt               *time.Time `json:"created_at"`
	UpdatedAt               *time.Time `json:"updated_at"`
	QueuedAt                *time.Time `json:"queued_at"`
	SubmittedAt             *time.Time `json:"submitted_at"`
	StartedAt               *time.Time `json:"started_at"`
	ReadyToCutoverAt        *time.Time `json:"ready_to_cutover_at"`
	CutoverAt               *time.Time `json:"cutover_at"`
	FinishedAt              *time.Time `json:"finished_at"`
	ForceCutoverRequestedAt *time.Time `json:"force_cutover_requested_at"`
}

// A RevertRequest is the possibility to undo a deploy, or its use.
type RevertRequest struct {
	ID    string `json:"id"`
	Actor *Actor `json:"actor"`
	// WaitingPeriodEndAt is the end of the revert window; nil until the deploy
	// has finished.
	WaitingPeriodEndAt *time.Time `json:"waiting_period_end_at"`
	CancelledAt        *time.Time `json:"cancelled_at"`
	FinishedAt         *time.Time `json:"finished_at"`
}

// An Operation is one statement of a deploy.
type Operation struct {
	ID string `json:"id"`
	// State is pending, queued, in_progress, complete, cancelled or error.
	State        string `json:"state"`
	KeyspaceName string `json:"keyspace_name"`
	TableName    string `json:"table_name"`
	// OperationName is ALTER, CREATE or DROP.
	OperationName string `json:"operation_name"`
	DDLStatement  string `json:"ddl_statement"`
	// ProgressPercentage is 0 to 100; nil until the operation runs.
	ProgressPercentage *float64 `json:"progress_percentage"`
	// ETASeconds is nil where there is no estimate.
	ETASeconds *float64 `json:"eta_seconds"`
	// ThrottledAt is when the operation was last held back.
	ThrottledAt *time.Time `json:"throttled_at"`
	// CanDropData says that rows or columns go.
	CanDropData         bool       `json:"can_drop_data"`
	TableLocked         bool       `json:"table_locked"`
	TableRecentlyUsed   bool       `json:"table_recently_used"`
	TableRecentlyUsedAt *time.Time `json:"table_recently_used_at"`
	DeployErrors        Messages   `json:"deploy_errors"`
	DeployErrorDocsURL  string     `json:"deploy_error_docs_url"`
	CreatedAt           *time.Time `json:"created_at"`
	UpdatedAt           *time.Time `json:"updated_at"`
}

// A LintError is what the platform refuses in a schema. Members that the kind
// of error does not have are "".
type LintError struct {
	// Code is the kind, such as NO_UNIQUE_KEY; others than the known may come.
	Code string `json:"lint_error"`
	// SubjectType is table, vschema or routing_rules.
	SubjectType  string `json:"subject_type"`
	KeyspaceName string `json:"keyspace_name"`
	TableName    string `json:"table_name"`
	ViewName     string `json:"view_name"`
	ColumnName   string `json:"column_name"`
	Description  string `json:"error_description"`
	DocsURL      string `json:"docs_url"`
	Statement    string `json:"statement"`
	// ConflictError says how the target, changed meanwhile, stands in the way.
	ConflictError string `json:"conflict_error"`
}

// UnmarshalJSON takes members of any type as text: what a lint error holds is
// for people, and hardly documented, so none of it should spoil an answer.
func (e *LintError) UnmarshalJSON(data []byte) error {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	m, isObject := v.(map[string]any)
	if !isObject {
		*e = LintError{Description: flat(v)}
		return nil
	}
	*e = LintError{
		Code: flat(m["lint_error"]), SubjectType: flat(m["subject_type"]), KeyspaceName: flat(m["keyspace_name"]),
		TableName: flat(m["table_name"]), ViewName: flat(m["view_name"]), ColumnName: flat(m["column_name"]),
		Description: flat(m["error_description"]), DocsURL: flat(m["docs_url"]), Statement: flat(m["statement"]),
		ConflictError: flat(m["conflict_error"]),
	}
	return nil
}

// String returns the error in one line: table, description and code.
func (e LintError) String() string {
	var parts []string
	for _, part := range []string{e.TableName + e.ViewName, e.Description, e.ConflictError} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.Code != "" {
		parts = append(parts, "("+e.Code+")")
	}
	return strings.Join(parts, " ")
}

// A Review is what somebody said about a deploy request.
type Review struct {
	ID string `json:"id"`
	// State is ReviewApproved or ReviewCommented.
	State     string     `json:"state"`
	Body      string     `json:"body"`
	Actor     *Actor     `json:"actor"`
	CreatedAt *time.Time `json:"created_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

// The states of a review.
const (
	ReviewApproved  = "approved"
	ReviewCommented = "commented"
)
