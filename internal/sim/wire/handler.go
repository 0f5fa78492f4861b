package wire

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// maxBody is the most bytes of a request, before and after decompression.
const maxBody = 4 << 20

// server is the API over HTTP.
type server struct {
	api      *API
	requests atomic.Int64
}

// Handler serves the operations to any AWS client, and the simulated cloud's own pages under /_sim/. The API gets a lock if it has none.
func (a *API) Handler() http.Handler {
	if a.Lock == nil {
		a.Lock = new(sync.Mutex)
	}
	s := &server{api: a}
	mux := http.NewServeMux()
	s.own(mux)
	s.rest(mux)
	mux.HandleFunc("/", s.serve)
	return mux
}

// serve answers one call. A call that is to have no answer ends with http.ErrAbortHandler, which closes the connection.
func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x", s.requests.Add(1))
	key, scope, signed := credential(r)
	service := s.api.scopes[scope]
	p := protocolOf(service, r)
	body, err := bodyOf(r)
	if err != nil {
		s.refuse(w, p, id, &Error{Code: p.broken(), Message: err.Error(), Status: http.StatusBadRequest})
		return
	}
	if !signed {
		s.refuse(w, p, id, &Error{Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: http.StatusForbidden})
		return
	}
	name := p.operation(r, body)
	if service == nil || service.operations[name] == nil {
		s.api.miss(clean(scope) + "." + clean(name))
		s.refuse(w, p, id, unknown(p, service, scope, name))
		return
	}
	o := service.operations[name]
	in := o.Input()
	if err := p.decode(body, in, s.api.Strict); err != nil {
		s.refuse(w, p, id, &Error{Service: service.Name, Code: p.broken(), Message: err.Error(), Status: http.StatusBadRequest})
		return
	}
	ctx := context.WithValue(WithCaller(r.Context(), key), webKey{}, web{endpoint: "http://" + r.Host})
	out, err := s.api.call(ctx, o, in)
	if err != nil {
		s.fail(w, p, id, err)
		return
	}
	contentType, answer, err := p.answer(name, id, out)
	if err != nil {
		s.refuse(w, p, id, &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError})
		return
	}
	write(w, http.StatusOK, contentType, id, answer)
}

// clean keeps the letters, digits and hyphens of a name that a client made up, and not more than an operation has.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, name)
	return name[:min(len(name), 80)]
}

func unknown(p protocol, s *service, scope, name string) *Error {
	e := &Error{Service: scope, Code: p.unknown(), Status: http.StatusBadRequest}
	if s == nil {
		e.Message = fmt.Sprintf("The simulated cloud has no service %q.", scope)
		return e
	}
	known := strings.Join(slices.Sorted(maps.Keys(s.operations)), ", ")
	e.Service = s.Name
	e.Message = fmt.Sprintf("The simulated cloud has no operation %q of %s. It knows %s.", name, scope, known)
	return e
}

// fail answers with an error, or, if there is to be no answer, closes the connection.
func (s *server) fail(w http.ResponseWriter, p protocol, id string, err error) {
	var e *Error
	if !errors.As(err, &e) {
		panic(http.ErrAbortHandler)
	}
	s.refuse(w, p, id, e)
}

func (s *server) refuse(w http.ResponseWriter, p protocol, id string, e *Error) {
	contentType, body := p.refuse(e, id)
	if known := s.api.services[e.Service]; known != nil && len(known.Errors.Query) > 0 && namesShapes(p) {
		fault := "Sender"
		if e.Status >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		w.Header().Set("x-amzn-query-error", e.Code+";"+fault)
	}
	write(w, e.Status, contentType, id, body)
}

// namesShapes reports whether a protocol names errors by their shapes, so that clients which know the codes of awsQuery need a header for these.
func namesShapes(p protocol) bool {
	_, isJSON := p.(jsonProtocol)
	_, isCBOR := p.(cborProtocol)
	return isJSON || isCBOR
}

func write(w http.ResponseWriter, status int, contentType, id string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	if contentType == cborType {
		w.Header().Set("Smithy-Protocol", rpcV2)
	}
	w.Header().Set("x-amzn-RequestId", id)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// credential reads the access key id and the service out of the scope of a signature of version 4. The signature itself is not checked.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func credential(r *http.Request) (key, service string, ok bool) {
	scope := r.URL.Query().Get("X-Amz-Credential")
	if _, after, found := strings.Cut(r.Header.Get("Authorization"), "Credential="); found {
		scope, _, _ = strings.Cut(after, ",")
	}
	parts := strings.Split(strings.TrimSpace(scope), "/")
	if len(parts) != 5 || parts[0] == "" || parts[4] != "aws4_request" {
		return "", "", false
	}
	return parts[0], parts[3], true
}

// bodyOf reads the body of a request. A GET has its form in the URL.
func bodyOf(r *http.Request) ([]byte, error) {
	if r.Method == http.MethodGet {
		form := r.URL.Query()
		for name := range form { //ebb:any-order it removes each that matches
			if strings.HasPrefix(name, "X-Amz-") {
				form.Del(name)
			}
		}
		return []byte(form.Encode()), nil
	}
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, malformedf("the body is not gzip: %v", err)
		}
		from = z
	}
	body, err := io.ReadAll(io.LimitReader(from, maxBody+1))
	if err != nil {
		return nil, malformedf("the body cannot be read: %v", err)
	}
	if len(body) > maxBody {
		return nil, malformedf("the body is longer than %d bytes", maxBody)
	}
	return body, nil
}
