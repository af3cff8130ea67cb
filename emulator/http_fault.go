package emulator

import (
	"net/http"
	"time"
)

// drop ends a connection without another byte.
func (c *call) drop() {
	c.record.Status = 0
	panic(http.ErrAbortHandler)
}

func (c *call) fault(kinds ...FaultKind) *Fault {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	f := c.e.takeRequestFaultLocked(kinds, c.r.Method, c.r.URL.Path)
	if f != nil {
		c.record.Fault = f.Do
	}
	return f
}

// faultsBefore does what goes wrong before a request has had its effect.
func (c *call) faultsBefore(w http.ResponseWriter) (done bool) {
	if f := c.fault(FaultDelay); f != nil {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.r.Context().Done():
			c.drop()
		}
	}
	if f := c.fault(FaultDropBefore); f != nil {
		c.drop()
	}
	if f := c.fault(FaultAnswer); f != nil {
		c.answerFault(w, f)
		return true
	}
	c.noDeployment = c.fault(FaultNoDeployment) != nil
	c.unknownState = c.fault(FaultUnknownState) != nil
	c.errorsAsList = c.fault(FaultErrorsAsList) != nil
	c.unknownMembers = c.fault(FaultUnknownMembers) != nil
	c.staleSchema = c.fault(FaultStaleSchema) != nil
	return false
}

// faultsAfter does what goes wrong once a request has had its effect.
func (c *call) faultsAfter(w http.ResponseWriter, a answer, err error) (done bool) {
	if f := c.fault(FaultDropAfter); f != nil {
		c.drop()
	}
	if err != nil {
		return false
	}
	if f := c.fault(FaultAnswerAfter); f != nil {
		c.answerFault(w, f)
		return true
	}
	if a.body == nil {
		return false
	}
	if f := c.fault(FaultSlow); f != nil {
		c.trickle(w, a, f.Delay)
		return true
	}
	if f := c.fault(FaultCut); f != nil {
		b, _ := c.encode(a.body) // half of whatever it would have been
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(a.status)
		w.Write(b[:len(b)/2])
		if flush, ok := w.(http.Flusher); ok {
			flush.Flush()
		}
		c.drop()
	}
	return false
}

// pieces is in how many parts a slow body comes.
const pieces = 8

// trickle writes an answer piece by piece.
func (c *call) trickle(w http.ResponseWriter, a answer, over time.Duration) {
	b, _ := c.encode(a.body) // of what a handler gave
	c.record.Status = a.status
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	for i := range pieces {
		if _, err := w.Write(b[len(b)*i/pieces : len(b)*(i+1)/pieces]); err != nil {
			c.drop()
		}
		if flush, ok := w.(http.Flusher); ok {
			flush.Flush()
		}
		if !pause(c.r.Context(), over/pieces) {
			c.drop()
		}
	}
}

// answerFault writes the answer that a fault carries.
func (c *call) answerFault(w http.ResponseWriter, f *Fault) {
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	if f.Body != "" {
		c.record.Status = f.Status
		w.WriteHeader(f.Status)
		w.Write([]byte(f.Body))
		return
	}
	code := f.Code
	if code == "" {
		code = map[int]string{400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 422: "unprocessable",
			429: "too_many_requests", 503: "service_unavailable"}[f.Status]
	}
	if code == "" {
		code = "internal_server_error"
	}
	c.write(w, answer{f.Status, &apiError{f.Status, code, f.text(http.StatusText(f.Status))}})
}
