package notify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// talker is a server that answers each connection with what say makes of the request, and hangs up.
func talker(t *testing.T, say func(request string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				var head bytes.Buffer
				_ = r.Header.Write(&head)
				body, _ := io.ReadAll(r.Body)
				_, _ = io.WriteString(c, say(r.RequestURI+" "+strings.ReplaceAll(head.String(), "\r\n", " ")+string(body)))
			}
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// echo is a server that repeats all that it is sent, in its status, in a header and in its body.
func echo(t *testing.T, status int, header string) string {
	t.Helper()
	return talker(t, func(request string) string {
		body := `{"ok":false,"error":"` + strings.NewReplacer(`"`, `'`, `\`, `/`).Replace(request) + `"}`
		return fmt.Sprintf("HTTP/1.1 %d %s\r\n%s: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			status, request, header, request, len(body), body)
	})
}

// What goes wrong with a receiver is told without its secret, whatever the receiver answers.
func TestNoErrorShowsASecret(t *testing.T) {
	var referer, followed string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		referer, followed = r.Header.Get("Referer"), r.URL.Path
	}))
	defer other.Close()
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	defer encrypted.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	const path = "/services/T0/B0/very-secret"
	withPassword := func(url string) string { return strings.Replace(url, "http://", "http://user:very-secret@", 1) + path }
	answering := func(status, before string) string { // the header repeats what is asked for
		return talker(t, func(request string) string {
			asked, _, _ := strings.Cut(request, " ")
			return "HTTP/1.1 " + status + "\r\n" + before + asked + "\r\n\r\n"
		})
	}
	secrets := map[string]string{
		"nobody listens":              closed.URL + path,
		"it hangs up":                 talker(t, func(string) string { return "" }) + path,
		"it speaks no HTTP":           talker(t, func(request string) string { return request + "\r\n\r\n" }) + path,
		"its status is no number":     talker(t, func(request string) string { return "HTTP/1.1 " + request + "\r\n\r\n" }) + path,
		"its header is none":          answering("200 OK", "") + path,
		"its length is none":          answering("200 OK", "Content-Length: ") + path,
		"its coding is none":          answering("200 OK", "Transfer-Encoding: ") + path,
		"it repeats what it is sent":  echo(t, 400, "X-Echo") + path,
		"it forbids":                  echo(t, 403, "X-Echo") + path,
		"it breaks":                   echo(t, 500, "Retry-After") + path,
		"it is too much":              echo(t, 429, "Retry-After") + path,
		"it knows the password":       withPassword(echo(t, 401, "WWW-Authenticate")),
		"it leads elsewhere":          answering("307 Moved", "Location: "+other.URL+"/elsewhere?") + path,
		"it leads to a page":          answering("302 Found", "Location: "+other.URL+"/login?") + path,
		"it leads to no HTTP":         answering("302 Found", "Location: ftp://x/?") + path,
		"it leads nowhere":            answering("302 Found", "Location: http://%zz") + path,
		"its certificate is unknown":  encrypted.URL + path,
		"it is not encrypted":         strings.Replace(other.URL, "http", "https", 1) + path,
		"no scheme":                   "hooks.example" + path,
		"another scheme":              "very-secret://hooks.example" + path,
		"a wrong port":                "https://hooks.example:very-secret/x",
		"a wrong escape":              "https://hooks.example/%very-secret",
		"a wrong host":                "https://very-secret host/x",
		"a control character":         "https://hooks.example/\x01very-secret",
		"a wrong password":            "https://user:very-secret%zz@hooks.example/x",
		"not even a URL":              "very-secret",
		"a token where a URL belongs": "xoxb-very-secret",
	}
	for what, secret := range secrets {
		for _, kind := range []Kind{Slack, Webhook, SlackBot} {
			t.Run(what+"/"+string(kind), func(t *testing.T) {
				s, token := sender(kind, secret), secret
				if kind == SlackBot { // what it is sent to is Slack's API
					base, _, _ := strings.Cut(secret, path)
					s.slack, token = strings.Replace(base, "user:very-secret@", "", 1)+"/", "xoxb-1-very-secret"
					s.secrets = NewSecrets(func(string) string { return token }, aws.Config{})
				}
				_, err := s.Tell(t.Context(), "r", forced, "")
				if err == nil {
					t.Fatal("no error")
				}
				basic := base64.StdEncoding.EncodeToString([]byte("user:very-secret"))
				for _, shown := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
					if strings.Contains(shown, "very-secret") || strings.Contains(shown, basic) {
						t.Errorf("it shows the secret: %s", shown)
					}
				}
			})
		}
	}
	if followed != "" || referer != "" {
		t.Errorf("a redirect was followed to %s, with the referer %q", followed, referer)
	}
}

// A receiver that leads elsewhere has not taken the notice: a page to log in answers 200 too.
func TestARedirectIsNoReceiver(t *testing.T) {
	page := newDouble(t, answer(200, "ok"))
	for _, status := range []int{301, 302, 303, 307, 308} {
		d := newDouble(t, answer(status, "", "Location", page.URL+"/login"))
		for _, kind := range []Kind{Slack, Webhook} {
			_, err := sender(kind, d.URL+"/very-secret").Tell(t.Context(), "r", forced, "")
			want := fmt.Sprintf("it answered %d %s; Ebb follows no redirect: write the URL that it leads to", status, http.StatusText(status))
			if err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", kind, err, want)
			}
		}
	}
	if len(page.got) > 0 {
		t.Errorf("the notice was sent on to %s", page.got[0].URL.Path)
	}
}

// What went wrong is told in Ebb's own words, and each says what to do.
func TestWhatWentWrongIsTold(t *testing.T) {
	wrapped := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://host/very-secret", Err: err}
	}
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for want, err := range map[string]error{
		"it did not answer in 10s":                                context.DeadlineExceeded,
		"its host is not found; correct the host":                 &net.DNSError{Name: "very-secret", Err: "no such host"},
		"its certificate is signed by an authority":               x509.UnknownAuthorityError{},
		"its certificate is for another host":                     x509.HostnameError{Host: "very-secret", Certificate: &x509.Certificate{}},
		"its certificate is not valid, or no more":                x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired},
		"it speaks HTTP without encryption":                       http.ErrSchemeMismatch,
		"it cannot be reached at 127.0.0.1:1: connection refused": refused,
		"it cannot be reached: connection refused":                &net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED},
		"it closed the connection without an answer":              io.EOF,
		"it cannot be reached, or its answer cannot be read":      errors.New("very-secret"),
		"context canceled":                                        context.Canceled,
	} {
		if got := known(wrapped(err)).Error(); !strings.HasPrefix(got, want) || strings.Contains(got, "very-secret") {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	if known(nil) != nil {
		t.Error("no error is one")
	}
}

// What Slack says is shown where it is a code, and not where it repeats the token.
func TestWhatSlackSaysIsShownIfItIsACode(t *testing.T) {
	for said, want := range map[string]string{
		"channel_not_found":                    "Slack says channel_not_found",
		"invalid_auth: xoxb-1-very-secret":     "Slack refuses it, and does not say why in a word that Ebb can show",
		"xoxb-1-very-secret":                   "Slack refuses it, and does not say why in a word that Ebb can show",
		"x" + strings.Repeat("very_secret", 9): "Slack refuses it, and does not say why in a word that Ebb can show",
	} {
		d := newDouble(t, answer(200, `{"ok":false,"error":"`+said+`"}`, "Content-Type", "application/json"))
		s := sender(SlackBot, "xoxb-1-very-secret")
		s.slack = d.URL + "/"
		if _, err := s.Tell(t.Context(), "r", forced, ""); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
