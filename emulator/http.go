package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// bodyLimit is how large a request's body may be.
	bodyLimit = 1 << 20
	// keptBody is how much of a body is remembered.
	keptBody = 4 << 10
	// keptRequests is how many requests are remembered for
	// /_emulator/requests.
	keptRequests = 10000
)

// Request is a request that the emulator received. It holds no secrets.
type Request struct {
	Time   time.Time     `json:"time"`
	Method string        `json:"method"`
	Path   string        `json:"path"`
	Query  string        `json:"query,omitempty"`
	Actor  string        `json:"actor,omitempty"`
	Body   string        `json:"body,omitempty"`
	Status int           `json:"status"` // 0: the connection was dropped
	Took   time.Duration `json:"took"`
	Fault  FaultKind     `json:"fault,omitempty"`
	// Refusal is why it was not done, where the status does not say it all.
	Refusal string `json:"refusal,omitempty"`
}

// call is one request on its way through the emulator.
type call struct {
	e      *Emulator
	r      *http.Request
	body   []byte
	token  *Token // nil: every permission
	actor  actor
	base   string // of url members, with a slash at its end
	record Request

	noDeployment, unknownState, errorsAsList, staleSchema, unknownMembers bool
}

// answer is what a handler returns: a status and a body to be written as JSON;
// nil is no body.
type answer struct {
	status int
	body   any
}

func ok(body any) (answer, error)      { return answer{http.StatusOK, body}, nil }
func created(body any) (answer, error) { return answer{http.StatusCreated, body}, nil }
func noContent() (answer, error)       { return answer{http.StatusNoContent, nil}, nil }

// ServeHTTP serves the platform's API under /v1/, and the emulator's own
// controls under /_emulator/.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{e: e, r: r, base: e.baseURL(r)}
	began := time.Now()
	c.record = Request{Time: e.now(), Method: r.Method, Path: e.scrub(r.URL.Path), Query: e.scrub(r.URL.RawQuery)}
	w.Header().Set("Date", c.record.Time.Format(http.TimeFormat))
	if r.URL.Path == "/_emulator" || strings.HasPrefix(r.URL.Path, "/_emulator/") && !strings.HasPrefix(r.URL.Path, "/_emulator/as/") {
		e.serveControl(w, c)
		return
	}
	defer func() {
		c.record.Took = time.Since(began)
		e.received(c.record)
	}()
	c.serve(w)
}

// secretForm is what the platform's secrets look like.
var secretForm = regexp.MustCompile(`pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_-]+`)

// scrub takes secrets out of what is remembered. No call of the API carries one
// outside its header; a client that is wrong about that should not be told on.
func (e *Emulator) scrub(text string) string {
	text = secretForm.ReplaceAllString(text, "[secret]")
	for _, t := range e.options.Tokens {
		if len(t.Secret) >= 6 {
			text = strings.ReplaceAll(text, t.Secret, "[secret]")
		}
	}
	return text
}

// received remembers a request and tells of it.
func (e *Emulator) received(r Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.requests) >= keptRequests {
		e.requests = slices.Delete(e.requests, 0, keptRequests/10)
	}
	e.requests = append(e.requests, r)
	text := r.Refusal
	if r.Fault != "" {
		text = "fault " + string(r.Fault)
	}
	e.eventLocked(Event{Kind: EventRequest, Subject: r.Method + " " + r.Path, Status: r.Status, Took: r.Took, Actor: r.Actor, Text: text})
}

func (c *call) serve(w http.ResponseWriter) {
	var err error
	if c.body, err = readBody(w, c.r); err != nil {
		c.refuse(w, err)
		return
	}
	c.record.Body = c.e.scrub(string(c.body[:min(len(c.body), keptBody)]))
	if err := c.authenticate(); err != nil {
		c.refuse(w, err)
		return
	}
	c.record.Actor = c.actor.Name
	if done := c.faultsBefore(w); done {
		return
	}
	a, err := c.handle()
	if err == nil && c.r.Method != http.MethodGet {
		// Who is told that something was done may rely on all that was done before, over MySQL too.
		err = c.e.engine.Flush(context.WithoutCancel(c.r.Context()))
	}
	if done := c.faultsAfter(w, a, err); done {
		return
	}
	if err != nil {
		c.refuse(w, err)
		return
	}
	c.write(w, a)
}

// handle finds the endpoint and runs it. A slash at the end of a path means
// nothing.
func (c *call) handle() (answer, error) {
	if path, slash := strings.CutSuffix(c.r.URL.EscapedPath(), "/"); slash {
		c.setPath(path)
	}
	h, pattern := c.e.routes.Handler(c.r)
	ep, known := h.(endpoint)
	if pattern == "" || !known {
		return answer{}, errNotFound
	}
	if !c.permitted(ep.permissions) {
		return answer{}, errNotFound // as the platform does: a missing permission looks like a missing thing
	}
	if err := c.checkBody(); err != nil {
		return answer{}, err
	}
	// The mux matches again, to set the path values.
	c.e.routes.ServeHTTP(discard{}, c.r)
	return ep.handle(c)
}

// setPath gives the request another path, as it is written in a URL.
func (c *call) setPath(escaped string) {
	u := *c.r.URL
	u.Path, u.RawPath = escaped, escaped
	if plain, err := url.PathUnescape(escaped); err == nil {
		u.Path = plain
	}
	c.r = c.r.Clone(c.r.Context())
	c.r.URL = &u
}

// discard is the writer of an endpoint that writes nothing by itself.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	var tooLarge *http.MaxBytesError
	var late net.Error
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case errors.As(err, &late) && late.Timeout():
		return nil, errTooSlow
	case err != nil:
		return nil, badRequest("the request body could not be read")
	}
	return b, nil
}

// checkBody refuses a body that is no JSON object, also where none is looked at.
func (c *call) checkBody() error {
	switch body := bytes.TrimSpace(c.body); {
	case len(body) == 0:
		return nil
	case !json.Valid(body):
		return badRequest("Malformed JSON in request body")
	case body[0] != '{' && string(body) != "null":
		return badRequest("The request body must be a JSON object")
	}
	return nil
}

// read decodes the request's body; none is the zero value.
func (c *call) read(into any) error {
	if err := c.checkBody(); err != nil || len(bytes.TrimSpace(c.body)) == 0 {
		return err
	}
	err := json.Unmarshal(c.body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return invalid("Invalid parameter type: " + wrong.Field)
	case err != nil:
		return badRequest("Malformed JSON in request body")
	}
	return nil
}

func (c *call) refuse(w http.ResponseWriter, err error) {
	a := asAPIError(err)
	if a.Status == http.StatusInternalServerError && !errors.As(err, new(*apiError)) {
		c.e.event(Event{Kind: EventError, Subject: c.r.Method + " " + c.r.URL.Path, Text: err.Error()})
	}
	if a != errNotFound && a != errUnauthorized {
		c.record.Refusal = c.e.scrub(a.Message)
	}
	c.write(w, answer{a.Status, a})
}

func (c *call) write(w http.ResponseWriter, a answer) {
	c.record.Status = a.status
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	b, err := c.encode(a.body)
	if err != nil {
		c.record.Status = http.StatusInternalServerError
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		c.record.Status = 0
	}
}

// encode writes an answer's body.
func (c *call) encode(body any) ([]byte, error) {
	b, err := json.Marshal(body)
	if err != nil || !c.unknownMembers {
		return b, err
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	addUnknown(v)
	return json.Marshal(v)
}

// addUnknown gives every object members that no document knows.
func addUnknown(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			addUnknown(x)
		}
	case map[string]any:
		for _, x := range v {
			addUnknown(x)
		}
		v["reticulated"], v["spline_count"] = map[string]any{"id": "s1"}, 3
	}
}

func (e *Emulator) baseURL(r *http.Request) string {
	if e.options.Address != "" {
		return strings.TrimSuffix(e.options.Address, "/") + "/"
	}
	return "http://" + r.Host + "/"
}
