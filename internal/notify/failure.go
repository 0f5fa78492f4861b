package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/ebbhq/ebb/internal/notice"
)

// failure is an error whose text Ebb has written. What others have written may hold the secret: the error of a request has its URL, and one
// about an answer that cannot be read has a part of it, in which a receiver may repeat what it was sent.
type failure string

// Error is the text.
func (f failure) Error() string { return string(f) }

// newClient is a client for receivers. It follows no redirect: it would tell the next one the URL as the referer.
func newClient() *http.Client {
	return &http.Client{Timeout: sendFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// address is a secret that is a URL. The error shows nothing of it.
func address(secret string) (string, error) {
	u, err := url.Parse(secret)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", failure("the secret is not a URL; store the whole URL as the receiver gave it out, like https://host/path")
	}
	return secret, nil
}

// known is an error in Ebb's own words. Of what is not in the list only that is told that it went wrong.
func known(err error) error {
	own, is := errors.AsType[failure](err)
	switch {
	case err == nil:
		return nil
	case is:
		return own
	case as[*notice.Undeliverable](err), as[*notice.Later](err):
		return err // answered and slackSaid have written it
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return failure(unreachable(err))
}

func unreachable(err error) string {
	var timeout net.Error
	errno, system := errors.AsType[syscall.Errno](err)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in " + sendFor.String()
	case as[*net.DNSError](err):
		return "its host is not found; correct the host in the URL, or check the name server of this host"
	case as[x509.UnknownAuthorityError](err):
		return "its certificate is signed by an authority that this host does not know; add that authority to this host"
	case as[x509.HostnameError](err):
		return "its certificate is for another host; correct the host in the URL"
	case as[x509.CertificateInvalidError](err):
		return "its certificate is not valid, or no more; renew it, or check the clock of this host"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it speaks HTTP without encryption; write http:// instead of https://, or its encrypted port"
	case system:
		return "it cannot be reached" + where(err) + ": " + errno.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection without an answer"
	}
	return "it cannot be reached, or its answer cannot be read; check the URL, the receiver, and HTTPS_PROXY if it is set"
}

// where is the address that was called, if that is known.
func where(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if op, ok := err.(*net.OpError); ok && op.Op == "dial" && op.Addr != nil { //nolint:errorlint // each of the chain is looked at
			return " at " + op.Addr.String()
		}
	}
	return ""
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
