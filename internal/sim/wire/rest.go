package wire

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// rest serves the operations of the protocol restJson1. The fields of their requests say where they are found: path:"name", query:"Name",
// header:"Name", or body:"" for the body of a POST.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
func (s *server) rest(mux *http.ServeMux) {
	for _, known := range s.api.services {
		for _, o := range known.operations {
			for _, path := range o.Paths {
				mux.HandleFunc(path, s.serveREST(o))
			}
		}
	}
}

func (s *server) serveREST(o *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _, signed := credential(r)
		in := o.Input()
		err := readREST(reflect.ValueOf(in).Elem(), r)
		var later chan *core.RESTAnswer
		var out *core.RESTAnswer
		switch {
		case !signed:
			err = &Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token", Status: http.StatusForbidden}
		case err != nil:
			err = &Error{Code: "InvalidRequestContentException", Message: err.Error(), Status: http.StatusBadRequest}
		default:
			out, later, err = s.askREST(o, in, key, r)
		}
		s.writeREST(w, r, out, later, err)
	}
}

// askREST makes the call; later gets the answer of one that has none yet.
func (s *server) askREST(o *operation, in any, key string, r *http.Request) (*core.RESTAnswer, chan *core.RESTAnswer, error) {
	got, err := s.api.call(WithCaller(r.Context(), key), o, in)
	if err != nil {
		return nil, nil, err
	}
	out := got.(*core.RESTAnswer)
	if out.Later == nil {
		return out, nil, nil
	}
	later := make(chan *core.RESTAnswer, 1)
	defer s.api.lock()()
	out.Later(func(a *core.RESTAnswer) { later <- a })
	return out, later, nil
}

// readREST fills a request, whose fields are strings and, for the body, bytes.
func readREST(in reflect.Value, r *http.Request) error {
	for i := range in.NumField() {
		f, tag := in.Field(i), in.Type().Field(i).Tag
		if _, body := tag.Lookup("body"); body {
			if r.Method == http.MethodPost {
				b, err := bodyOf(r)
				if err != nil {
					return err
				}
				f.SetBytes(b)
			}
			continue
		}
		value := r.PathValue(or(tag.Get("path"), "-"))
		if name := tag.Get("query"); name != "" && value == "" {
			value = r.URL.Query().Get(name)
		}
		if name := tag.Get("header"); name != "" {
			value = r.Header.Get(name)
		}
		f.SetString(value)
	}
	return nil
}

// writeREST writes an answer, for which the caller may have to wait.
func (s *server) writeREST(w http.ResponseWriter, r *http.Request, out *core.RESTAnswer, later <-chan *core.RESTAnswer, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			panic(http.ErrAbortHandler) // there is to be no answer
		}
		w.Header().Set("X-Amzn-Errortype", e.Code)
		w.WriteHeader(e.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": e.Message}) // a client that is gone needs no answer
		return
	}
	if later != nil {
		select {
		case out = <-later:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	for name, value := range out.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(out.Status)
	switch body := out.Body.(type) {
	case nil:
	case []byte:
		_, _ = w.Write(body)
	default:
		_ = json.NewEncoder(w).Encode(body)
	}
}
