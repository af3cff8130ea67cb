package emulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/pmig/pmig/planetscale"
)

// SignatureHeader has the hex HMAC-SHA256 of a delivery's body under the
// webhook's secret.
const SignatureHeader = "X-PlanetScale-Signature"

const (
	webhooksPerDatabase = 5
	webhookTestEvery    = 20 * time.Second // between two tests of one webhook
	webhookTimeout      = 2 * time.Second  // for an answer
	webhookAttempts     = 3                // how often the platform tries is not known
	webhookBacklog      = 1000             // deliveries that wait; more are dropped
	webhookTest         = "webhook.test"
)

// webhookEvents is every event that the platform lets one ask for. The
// emulator sends those of branches and deploy requests that happen in it.
var webhookEvents = []string{"branch.ready", "branch.anomaly", "branch.out_of_memory", "branch.primary_promoted",
	"branch.primary_switchover_imminent", "branch.schema_recommendation", "branch.sleeping", "branch.start_maintenance", "backup.failed",
	"backup.succeeded", "cluster.storage", "keyspace.storage", "database.access_request", "deploy_request.opened",
	"deploy_request.queued", "deploy_request.in_progress", "deploy_request.pending_cutover", "deploy_request.schema_applied",
	"deploy_request.errored", "deploy_request.reverted", "deploy_request.closed", webhookTest}

// webhook is told of events by HTTP. It has lost what it had not yet been told
// when the emulator ends.
type webhook struct {
	ID        string     `json:"id"`
	URL       string     `json:"url"`
	Secret    string     `json:"secret"`
	Enabled   bool       `json:"enabled"`
	Events    []string   `json:"events"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	TestedAt  *time.Time `json:"tested_at,omitempty"`
	SentAt    *time.Time `json:"sent_at,omitempty"`
	Success   *bool      `json:"success,omitempty"`
	Result    string     `json:"result,omitempty"`

	Authorization string `json:"authorization,omitempty"` // the header's value, if it is to be sent

	waiting [][]byte
}

// deploymentEvents are the events of deployment states.
var deploymentEvents = map[planetscale.State]string{
	planetscale.StateQueued:              "deploy_request.queued",
	planetscale.StateInProgress:          "deploy_request.in_progress",
	planetscale.StatePendingCutover:      "deploy_request.pending_cutover",
	planetscale.StateError:               "deploy_request.errored",
	planetscale.StateCompleteError:       "deploy_request.errored",
	planetscale.StateCompleteRevertError: "deploy_request.errored",
	planetscale.StateCompleteRevert:      "deploy_request.reverted",
}

// tellMoveLocked tells webhooks that a deployment has come from one state to
// another.
func (e *Emulator) tellMoveLocked(db *database, dr *deployRequest, from planetscale.State) {
	to := dr.Deployment.State
	switch name := deploymentEvents[to]; {
	case name != "":
		e.tellRequestLocked(db, dr, name)
	case to.Info().Live && !from.Info().Live && dr.DeployedAt != nil && from != planetscale.StateCompleteRevertError:
		e.tellRequestLocked(db, dr, "deploy_request.schema_applied")
	}
}

func (e *Emulator) tellRequestLocked(db *database, dr *deployRequest, name string) {
	e.tellLocked(db, name, func(c *call) object { return c.showDeployRequest(db, dr) })
}

func (e *Emulator) tellBranchLocked(db *database, b *branch, name string) {
	e.tellLocked(db, name, func(c *call) object { return c.showBranch(db, b) })
}

// tellLocked has every webhook told that asks for an event.
func (e *Emulator) tellLocked(db *database, name string, resource func(*call) object) {
	for _, w := range db.Webhooks {
		if w.Enabled && slices.Contains(w.Events, name) {
			e.sendLocked(db, w, name, resource)
		}
	}
}

// sendLocked has one webhook told. The body is what there is at this moment.
func (e *Emulator) sendLocked(db *database, w *webhook, name string, resource func(*call) object) {
	base := e.options.Address
	if base == "" {
		base = "http://127.0.0.1/"
	}
	body, err := json.Marshal(object{"timestamp": e.nowLocked().Unix(), "event": name, "organization": db.Org, "database": db.Name,
		"resource": resource(&call{e: e, base: base})})
	if err != nil || len(w.waiting) >= webhookBacklog {
		e.eventLocked(Event{Kind: EventWebhook, Database: db.path(), Subject: w.ID, Text: name + " was dropped: too many deliveries wait"})
		return
	}
	w.waiting = append(w.waiting, body)
	e.startLocked("webhook "+w.ID, func(ctx context.Context) { e.deliver(ctx, db, w) })
	e.wakeLocked()
}

// deliver sends what waits for a webhook, in order, until the webhook is gone.
func (e *Emulator) deliver(ctx context.Context, db *database, w *webhook) {
	client := webhookClient()
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		e.mu.Lock()
		changed := e.changed
		gone := !slices.Contains(db.Webhooks, w)
		var body []byte
		to := *w
		if len(w.waiting) > 0 {
			body = w.waiting[0]
			w.waiting = w.waiting[1:]
		}
		e.mu.Unlock()
		switch {
		case gone:
			return
		case body == nil:
			e.wait(ctx, changed, time.Time{})
			continue
		}
		var result string
		var success bool
		for n := range webhookAttempts {
			if n > 0 && !pause(ctx, time.Duration(n)*250*time.Millisecond) {
				return
			}
			if result, success = to.post(ctx, client, body); success {
				break
			}
		}
		e.mu.Lock()
		w.SentAt, w.Success, w.Result = e.stamp(), &success, result
		e.eventLocked(Event{Kind: EventWebhook, Database: db.path(), Subject: w.ID, Text: result})
		_ = e.commitLocked() // told as an event if it fails
		e.mu.Unlock()
	}
}

// pause waits on the machine's clock, and says whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errNotLoopback refuses to send anything to another machine.
var errNotLoopback = errors.New("not delivered: this emulator delivers to loopback addresses only")

// webhookClient reaches loopback addresses and nothing else, whatever a name
// resolves to. Certificates there are nobody's to vouch for.
func webhookClient() *http.Client {
	dialer := net.Dialer{Timeout: webhookTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
			return errNotLoopback
		}
		return nil
	}}
	return &http.Client{Timeout: webhookTimeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post makes one delivery and says how it went.
func (w webhook) post(ctx context.Context, client *http.Client, body []byte) (result string, success bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return err.Error(), false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "PlanetScale-Webhooks")
	r.Header.Set(SignatureHeader, signature(w.Secret, body))
	if w.Authorization != "" {
		r.Header.Set("Authorization", w.Authorization)
	}
	res, err := client.Do(r)
	switch timeout := interface{ Timeout() bool }(nil); {
	case errors.Is(err, errNotLoopback):
		return errNotLoopback.Error(), false
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer within %v", webhookTimeout), false
	case err != nil:
		return err.Error(), false
	}
	res.Body.Close()
	return res.Status, res.StatusCode/100 == 2
}

// signature is what SignatureHeader says of a body.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
