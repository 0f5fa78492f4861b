package core

import "fmt"

// Error is an answer by which AWS refuses a request.
type Error struct {
	Code    string // AWS's error code, such as ValidationError
	Message string
	Status  int // HTTP status, 400 if zero
}

// Error spells code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Refuse makes an answer with status 400.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: 400}
}
