package planetscale

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// excerptLength is how many characters of an answer that is not JSON are shown.
const excerptLength = 300

// classify turns an answer that is not a success into an *Error. The status
// decides; the code where the status is vague; the text where nothing else
// tells two refusals apart.
func classify(op operation, status int, body []byte, scrub func(string) string) *Error {
	e := &Error{Status: status, Permission: op.permission, subject: op.subject}
	code, message, isObject := errorBody(body)
	e.Code, e.Message = clean(scrub(code)), clean(scrub(message))
	e.Kind = kindOf(op, status, e.Code)
	if !isObject {
		e.Message = "the answer is not JSON"
		if text := excerpt(scrub(string(body))); text != "" {
			e.Message += ": " + text
		}
		// A page of 404 or 422 is not the platform's word on anything; that of
		// an overloaded or failing one means what its status says.
		if e.Kind != KindServer && e.Kind != KindRateLimited {
			e.Kind = KindMalformed
		}
		return e
	}
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity:
		if r, ok := find(op.refusals, e.Message); ok {
			e.Kind, e.hint = r.kind, r.hint
		}
	}
	return e
}

func kindOf(op operation, status int, code string) Kind {
	switch {
	case status == http.StatusUnauthorized:
		return KindUnauthorized
	case status == http.StatusNotFound:
		return KindNotFound
	case status == http.StatusTooManyRequests:
		return KindRateLimited
	case status >= 500, status == http.StatusRequestTimeout:
		return KindServer
	case status < 400:
		return KindMalformed
	}
	switch code {
	case "unauthorized", "invalid_token":
		return KindUnauthorized
	case "not_found":
		return KindNotFound
	case "bad_request", "invalid_params":
		return KindInvalid
	case "too_many_requests":
		return KindRateLimited
	}
	switch status {
	case http.StatusForbidden:
		return KindForbidden
	case http.StatusBadRequest:
		return KindInvalid
	case http.StatusConflict:
		if op.named {
			return KindConflict
		}
	}
	return KindRefused
}

// errorBody reads the shapes of error bodies: the platform's {code, message},
// OAuth's {error, error_description}, and {errors}. An empty body and {} give
// empty texts; what is not an object at all gives false.
func errorBody(body []byte) (code, message string, isObject bool) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return "", "", true
	}
	var members map[string]any
	if json.Unmarshal(body, &members) != nil || members == nil {
		return "", "", false
	}
	code, message = flat(members["code"]), flat(members["message"])
	if code == "" {
		code = flat(members["error"])
	}
	if message == "" {
		message = flat(members["error_description"])
	}
	if message == "" {
		message = flat(members["errors"])
	}
	if available := flat(members["available"]); available != "" {
		message += " (available: " + available + ")"
	}
	return code, message, true
}

// flat writes a JSON value as one line: lists separated by commas, and of an
// object what it says about a parameter, or else all its members.
func flat(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		var parts []string
		for _, item := range v {
			if s := flat(item); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		name, errors := flat(v["name"]), flat(v["errors"])
		if name != "" && errors != "" {
			if namespace := flat(v["namespace"]); namespace != "" {
				name = namespace + "." + name
			}
			return name + ": " + errors
		}
		var parts []string
		for _, key := range sortedKeys(v) {
			if s := flat(v[key]); s != "" {
				parts = append(parts, key+": "+s)
			}
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}

// excerpt returns the beginning of a text as one line.
func excerpt(text string) string {
	runes := []rune(clean(text))
	if len(runes) > excerptLength {
		return string(runes[:excerptLength]) + "…"
	}
	return string(runes)
}

// clean makes one line of a text from elsewhere, without the characters that
// would move a terminal's cursor.
func clean(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
