package planetscale

import "fmt"

const tokenHint = "check PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN: the platform does not know this service token"

// Hint returns what helps, in one line; "" if nothing is known to.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	subject := e.subject
	if subject == "" {
		subject = "object"
	}
	switch e.Kind {
	case KindNotFound:
		if e.Permission == "" {
			return fmt.Sprintf("the %s does not exist, or the service token may not see it", subject)
		}
		return fmt.Sprintf("the %s does not exist, or the service token lacks the permission %s: the platform answers 404 for both", subject, e.Permission)
	case KindUnauthorized:
		return tokenHint
	case KindForbidden:
		if e.Permission == "" {
			return "the service token may not do this"
		}
		return fmt.Sprintf("the service token may see the %s but not do this: it needs the permission %s", subject, e.Permission)
	case KindValidating:
		return "the platform is still checking the changes: try again in a moment"
	case KindDeploying:
		return "a deploy involves the branch, or did a minute ago: try again later"
	case KindNeedsApproval:
		return "an administrator other than the creator must approve the deploy request; a service token can't approve its own"
	case KindConflict:
		return "the name is taken: look at what has it"
	case KindRefused:
		return fmt.Sprintf("look at the state of the %s: it does not allow this now", subject)
	case KindRateLimited:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("the platform asks for fewer requests: try again in %s", e.RetryAfter)
		}
		return "the platform asks for fewer requests: try again in a minute"
	case KindServer:
		return "the platform failed: try again, and see its status page if it lasts"
	case KindMalformed:
		return "something other than the API may have answered: check PLANETSCALE_API_URL and any proxy between"
	case KindNetwork:
		return "check the network, PLANETSCALE_API_URL and any proxy between"
	}
	return ""
}
