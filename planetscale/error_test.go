package planetscale_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pmig/pmig/planetscale"
)

const page502 = "<html>\r\n<head><title>502 Bad Gateway</title></head>\n<body>\x1b[31mnginx</body></html>"

// TestErrors holds every shape of error body, and every refusal that is known
// by its text, to its kind, its words and its hint.
func TestErrors(t *testing.T) {
	get := func(d *planetscale.DB) error { return second(d.Get(background)) }
	branch := func(d *planetscale.DB) error { return second(d.Branch(background, "dev")) }
	create := func(d *planetscale.DB) error {
		return second(d.CreateBranch(background, planetscale.NewBranch{Name: "dev"}))
	}
	remove := func(d *planetscale.DB) error { return d.DeleteBranch(background, "dev") }
	open := func(d *planetscale.DB) error {
		return second(d.CreateDeployRequest(background, planetscale.NewDeployRequest{Branch: "dev", IntoBranch: "main"}))
	}
	deploy := func(d *planetscale.DB) error { return second(d.Deploy(background, 7, false)) }
	password := func(d *planetscale.DB) error {
		return second(d.CreatePassword(background, "dev", planetscale.NewPassword{Role: "admin"}))
	}
	safe := func(d *planetscale.DB) error { return second(d.SetSafeMigrations(background, "main", true)) }
	skip := func(d *planetscale.DB) error { return second(d.SkipRevert(background, 7)) }

	tests := []struct {
		name   string
		do     func(*planetscale.DB) error
		status int
		body   string
		kind   planetscale.Kind
		text   string // in Error()
		hint   string // in Hint()
	}{
		{"not found", branch, 404, `{"code":"not_found","message":"Not Found"}`, planetscale.KindNotFound,
			"GET /v1/organizations/acme/databases/shop/branches/dev: 404 not_found: Not Found", "the branch does not exist, or the service token lacks the permission read_branch"},
		{"database not found", get, 404, `{"code":"not_found","message":"Not Found"}`, planetscale.KindNotFound, "404 not_found", "the database does not exist, or the service token lacks the permission read_database"},
		{"create not found", create, 404, `{"code":"not_found","message":"Not Found"}`, planetscale.KindNotFound, "404", "create_branch"},
		{"password not found", password, 404, `{"code":"not_found","message":"Not Found"}`, planetscale.KindNotFound, "404", "connect_branch"},
		{"request not found", open, 404, `{"code":"not_found","message":"Not Found"}`, planetscale.KindNotFound, "404", "create_deploy_request"},
		{"empty 404", branch, 404, ``, planetscale.KindNotFound, "404: not found", "read_branch"},
		{"empty object 404", branch, 404, `{}`, planetscale.KindNotFound, "404: not found", "read_branch"},
		{"a page of 404", branch, 404, `404 page not found`, planetscale.KindMalformed, "404: the answer is not JSON: 404 page not found", "PLANETSCALE_API_URL"},
		{"a text of 404", branch, 404, `"Not Found"`, planetscale.KindMalformed, "not JSON", "proxy"},
		{"null", branch, 404, `null`, planetscale.KindMalformed, "not JSON", "proxy"},

		{"unauthorized", get, 401, `{"code":"unauthorized","message":"Requires authentication"}`, planetscale.KindUnauthorized, "401 unauthorized: Requires authentication", "PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN"},
		{"unauthorized without code", get, 401, `{"message":"Requires authentication"}`, planetscale.KindUnauthorized, "401: Requires authentication", "PLANETSCALE_SERVICE_TOKEN"},
		{"oauth", get, 401, `{"error":"invalid_token","error_description":"The access token is invalid","state":"unauthorized"}`, planetscale.KindUnauthorized, "401 invalid_token: The access token is invalid", "PLANETSCALE_SERVICE_TOKEN"},
		{"oauth 403", get, 403, `{"error":"invalid_token","error_description":"The access token is invalid"}`, planetscale.KindUnauthorized, "403 invalid_token", "PLANETSCALE_SERVICE_TOKEN"},
		{"forbidden", remove, 403, `{"code":"forbidden","message":"User does not have permission to perform this action."}`, planetscale.KindForbidden,
			"403 forbidden: User does not have permission to perform this action", "permission delete_branch"},

		{"bad request", open, 400, `{"code":"bad_request","message":"into_branch is missing"}`, planetscale.KindInvalid, "400 bad_request: into_branch is missing", ""},
		{"available", create, 400, `{"code":"bad_request","message":"Unknown keyspace","available":["shop","logs"]}`, planetscale.KindInvalid, "Unknown keyspace (available: shop, logs)", ""},
		{"parameters", create, 422, `{"errors":[{"namespace":"branch","name":"name","errors":["is too long","has a space"]},{"name":"region","errors":["unknown"]}]}`,
			planetscale.KindRefused, "422: branch.name: is too long, has a space, region: unknown", "state"},
		{"parameters as an object", create, 422, `{"errors":{"name":["is bad"]}}`, planetscale.KindRefused, "name: is bad", ""},
		{"invalid params", create, 422, `{"code":"invalid_params","message":"Name is bad"}`, planetscale.KindInvalid, "422 invalid_params: Name is bad", ""},
		{"message is an object", create, 422, `{"code":"invalid_params","message":{"name":["is bad"]}}`, planetscale.KindInvalid, "name: is bad", ""},
		{"unprocessable without words", create, 422, `{}`, planetscale.KindRefused, "422: unprocessable entity", ""},
		{"mutation blocked", open, 422, `{"code":"schema_mutation_blocked","message":"Blocked by a workflow"}`, planetscale.KindRefused, "schema_mutation_blocked", "state"},

		{"name taken 422", create, 422, `{"code":"unprocessable","message":"Name has already been taken"}`, planetscale.KindConflict, "Name has already been taken", "taken"},
		{"name taken 409", create, 409, `{"code":"conflict","message":"Name has already been taken"}`, planetscale.KindConflict, "409 conflict", "taken"},
		{"name taken as parameter", create, 422, `{"errors":{"name":["has already been taken"]}}`, planetscale.KindConflict, "has already been taken", "taken"},
		{"conflict on a create", create, 409, `{"code":"conflict"}`, planetscale.KindConflict, "409 conflict: conflict", "taken"},
		{"conflict on a password", password, 409, `{"code":"conflict","message":"Branch is not ready"}`, planetscale.KindRefused, "Branch is not ready", "wait until the branch is ready"},
		{"conflict on a request", open, 409, `{"code":"conflict","message":"No"}`, planetscale.KindRefused, "409 conflict: No", "state"},
		{"conflict on an action", skip, 409, `{"code":"conflict","message":"No revert window"}`, planetscale.KindRefused, "No revert window", "state of the deploy request"},

		{"validating", deploy, 422, `{"code":"invalid_params","message":"We're currently validating that these changes are safe to deploy. Please try again in a few moments."}`,
			planetscale.KindValidating, "currently validating", "in a moment"},
		{"validating elsewhere is nothing special", skip, 422, `{"code":"unprocessable","message":"We're currently validating"}`, planetscale.KindRefused, "validating", ""},
		{"not approved 403", deploy, 403, `{"code":"forbidden","message":"Deploy request must be approved before deploying"}`, planetscale.KindNeedsApproval, "must be approved", "administrator"},
		{"not approved 422", deploy, 422, `{"code":"unprocessable","message":"This deploy request cannot be deployed until it is approved"}`, planetscale.KindNeedsApproval, "approved", "administrator"},
		{"wrong state", deploy, 422, `{"code":"unprocessable","message":"This deploy request cannot be deployed"}`, planetscale.KindRefused, "cannot be deployed", "look at its state"},
		{"too many tables", deploy, 422, `{"code":"unprocessable","message":"This deploy request is not deployable"}`, planetscale.KindRefused, "not deployable", "10 tables"},

		{"delete while deploying", remove, 422, `{"code":"unprocessable","message":"Branch dev cannot be deleted while a deployment is in progress."}`, planetscale.KindDeploying, "422 unprocessable: Branch dev cannot be deleted", "try again later"},
		{"delete the default", remove, 422, `{"code":"unprocessable","message":"The default branch cannot be deleted"}`, planetscale.KindRefused, "default branch", "can't be deleted"},
		{"no safe migrations", open, 422, `{"code":"unprocessable","message":"into_branch must be a branch with safe migrations enabled"}`, planetscale.KindRefused, "must be a branch with safe migrations", "enable safe migrations on the target"},
		{"lint", safe, 422, `{"code":"unprocessable","message":"Schema has lint errors"}`, planetscale.KindRefused, "lint errors", "lint of the branch"},
		{"no replicas", password, 422, `{"code":"invalid_params","message":"Replica passwords can only be created for a branch with replicas."}`, planetscale.KindInvalid, "Replica passwords", "no replicas"},

		{"server", deploy, 500, `{"code":"internal_server_error","message":"oops"}`, planetscale.KindServer, "500 internal_server_error: oops", "status page"},
		{"server without words", deploy, 500, `{}`, planetscale.KindServer, "500: internal server error", ""},
		{"a page of 502", deploy, 502, page502, planetscale.KindServer, "502: the answer is not JSON: <html> <head><title>502 Bad Gateway</title></head> <body> [31mnginx</body></html>", ""},
		{"teapot", deploy, 418, `{"message":"no"}`, planetscale.KindRefused, "418: no", ""},
		{"odd code", deploy, 410, `{"code":"not_found","message":"gone"}`, planetscale.KindNotFound, "410 not_found: gone", ""},
		{"informational", deploy, 299 + 700, ``, planetscale.KindServer, "999", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := always(tt.status, tt.body)
			err := tt.do(shop(t, p))
			e := as(t, err)
			if e.Kind != tt.kind || planetscale.KindOf(err) != tt.kind || e.Status != tt.status {
				t.Errorf("kind %q status %d, want %q %d", e.Kind, e.Status, tt.kind, tt.status)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q lacks %q", err, tt.text)
			}
			if !strings.Contains(e.Hint(), tt.hint) || (tt.hint != "" && e.Hint() == "") {
				t.Errorf("hint %q lacks %q", e.Hint(), tt.hint)
			}
			if strings.ContainsAny(err.Error(), "\n\r\x1b") || strings.HasSuffix(err.Error(), ".") {
				t.Errorf("error %q", err)
			}
			if len(p.seen) != 1 {
				t.Errorf("%d requests", len(p.seen))
			}
		})
	}
}

// TestHints: whatever the kind, a hint is one line, and most kinds have one.
func TestHints(t *testing.T) {
	for _, kind := range []planetscale.Kind{planetscale.KindNotFound, planetscale.KindUnauthorized, planetscale.KindForbidden, planetscale.KindRefused,
		planetscale.KindValidating, planetscale.KindDeploying, planetscale.KindNeedsApproval, planetscale.KindConflict, planetscale.KindRateLimited,
		planetscale.KindServer, planetscale.KindMalformed, planetscale.KindNetwork} {
		if h := (&planetscale.Error{Kind: kind}).Hint(); h == "" || strings.Contains(h, "\n") || strings.HasSuffix(h, ".") {
			t.Errorf("%s: %q", kind, h)
		}
		if s := (&planetscale.Error{Kind: kind}).Error(); s != string(kind) {
			t.Errorf("%s: %q", kind, s)
		}
	}
}

func TestIs(t *testing.T) {
	tests := []struct {
		kind planetscale.Kind
		is   func(error) bool
	}{
		{planetscale.KindNotFound, planetscale.IsNotFound}, {planetscale.KindUnauthorized, planetscale.IsUnauthorized},
		{planetscale.KindRefused, planetscale.IsRefused}, {planetscale.KindValidating, planetscale.IsValidating},
		{planetscale.KindDeploying, planetscale.IsDeploying}, {planetscale.KindNeedsApproval, planetscale.IsNeedsApproval},
		{planetscale.KindConflict, planetscale.IsConflict}, {planetscale.KindRateLimited, planetscale.IsRateLimited},
		{planetscale.KindServer, planetscale.IsLost}, {planetscale.KindNetwork, planetscale.IsLost},
	}
	for _, tt := range tests {
		wrapped := errors.Join(errors.New("while deploying"), &planetscale.Error{Kind: tt.kind})
		if !tt.is(wrapped) || tt.is(errors.New(string(tt.kind))) || tt.is(nil) || tt.is(&planetscale.Error{Kind: planetscale.KindInvalid}) {
			t.Errorf("%s", tt.kind)
		}
	}
}

// TestExcerpt: of a long page the first 300 characters are shown, and no
// secret, even one that stands across the end of them.
func TestExcerpt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pad := strings.Repeat("x", 290)
		for name, body := range map[string]string{
			"token":    "echo " + tokenID + ":" + token,
			"cut":      pad + token + strings.Repeat("y", 500),
			"password": pad + "pscale_pw_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg" + pad,
			"json":     `{"message":"` + token + `","code":"` + token + `"}`,
		} {
			err := second(shop(t, always(403, body)).Get(background))
			text := err.Error() + as(t, err).Hint()
			if strings.Contains(text, "SecretOf") || strings.Contains(text, "AbCdEf") || strings.Contains(text, "pscale_") {
				t.Errorf("%s: %s", name, text)
			}
			if !strings.Contains(text, "[secret]") && name != "cut" && name != "password" {
				t.Errorf("%s: %s", name, text)
			}
			if len(as(t, err).Message) > 350 {
				t.Errorf("%s: %d bytes", name, len(as(t, err).Message))
			}
		}
	})
}

// TestTransportErrorsAreScrubbed: not even a transport that repeats the header.
func TestTransportErrorsAreScrubbed(t *testing.T) {
	p := &platform{answer: func(_ int, r *http.Request, _ string) (*http.Response, error) {
		return nil, errors.New("cannot send " + r.Header.Get("Authorization"))
	}}
	err := shop(t, p).DeleteBranch(background, "dev")
	if strings.Contains(err.Error(), "SecretOf") || !planetscale.IsLost(err) {
		t.Error(err)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(background)
	cancel(errors.New("interrupted"))
	p := always(200, sample(t, "branch"))
	for _, d := range []*planetscale.DB{shop(t, p), shop(t, p).Unbudgeted()} {
		err := second(d.CreateBranch(ctx, planetscale.NewBranch{Name: "dev"}))
		if !errors.Is(err, context.Canceled) || planetscale.KindOf(err) != planetscale.KindCanceled || planetscale.IsLost(err) || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("%v", err)
		}
	}
	if len(p.seen) != 0 {
		t.Errorf("sent %v", p.seen)
	}
}
