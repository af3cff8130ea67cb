package emulator

import (
	"errors"
	"net/http"
)

// apiError is a refusal as the API words it.
type apiError struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

var (
	errNotFound     = &apiError{http.StatusNotFound, "not_found", "Not Found"}
	errUnauthorized = &apiError{http.StatusUnauthorized, "unauthorized", "Requires authentication"}
	errTaken        = unprocessable("Name has already been taken")
	errTooSlow      = &apiError{http.StatusRequestTimeout, "bad_request", "Request body did not come in time"}
	errTooLarge     = &apiError{http.StatusRequestEntityTooLarge, "bad_request", "Request body is too large"}
)

// badRequest is what cannot be read at all.
func badRequest(message string) *apiError {
	return &apiError{http.StatusBadRequest, "bad_request", message}
}

// unprocessable is a refusal by the state that things are in.
func unprocessable(message string) *apiError {
	return &apiError{http.StatusUnprocessableEntity, "unprocessable", message}
}

// invalid is a parameter that cannot be.
func invalid(message string) *apiError {
	return &apiError{http.StatusUnprocessableEntity, "invalid_params", message}
}

// asAPIError is how an error is answered: refusals as they are, all else as the
// platform answers a fault of its own.
func asAPIError(err error) *apiError {
	var a *apiError
	if errors.As(err, &a) {
		return a
	}
	return &apiError{http.StatusInternalServerError, "internal_server_error", "Internal Server Error: " + err.Error()}
}
