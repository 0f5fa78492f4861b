package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// IMDS asks the instance metadata service, version 2, over one connection and with one token. It is not safe for concurrent use.
//
// The SDK's client goes on with a token that IMDS refuses until the time of the token is over, and then hears nothing for minutes.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
type IMDS struct {
	base  string
	http  *http.Client
	token string
	plain bool // it wants no token: there is only version 1
}

// DefaultIMDS is the address of the instance metadata service.
const DefaultIMDS = "http://169.254.169.254"

const (
	imdsTimeout = 3 * time.Second // of one request
	tokenTTL    = "21600"         // seconds; the longest
	maxMetadata = 64 << 10        // bytes of an answer that are read
)

// NewIMDS asks at a URL; empty: DefaultIMDS.
func NewIMDS(base string) *IMDS {
	transport := &http.Transport{
		MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, DialContext: (&net.Dialer{Timeout: imdsTimeout}).DialContext, // no proxy
	}
	return &IMDS{base: strings.TrimSuffix(cmp.Or(base, DefaultIMDS), "/"), http: &http.Client{Transport: transport, Timeout: imdsTimeout}}
}

// status is an answer of IMDS that is neither found nor absent.
type status int

func (s status) Error() string {
	return fmt.Sprintf("IMDS answers %d %s", int(s), http.StatusText(int(s)))
}

// Get is what stands at a path under /latest, and whether anything does. A token that is refused is replaced at once.
func (m *IMDS) Get(ctx context.Context, path string) (string, bool, error) {
	for again := range 2 {
		if m.token == "" && !m.plain {
			if err := m.renew(ctx); err != nil {
				return "", false, err
			}
		}
		code, body, err := m.do(ctx, http.MethodGet, "/latest/"+path, "X-aws-ec2-metadata-token", m.token)
		switch {
		case err != nil:
			return "", false, fmt.Errorf("read %s from the instance metadata service: %w", path, err)
		case code == http.StatusUnauthorized && again == 0:
			m.token, m.plain = "", false
		case code == http.StatusNotFound:
			return "", false, nil
		case code != http.StatusOK:
			return "", false, fmt.Errorf("read %s: %w", path, status(code))
		default:
			return body, true, nil
		}
	}
	return "", false, fmt.Errorf("read %s: %w, with a new token too", path, status(http.StatusUnauthorized))
}

func (m *IMDS) renew(ctx context.Context) error {
	code, body, err := m.do(ctx, http.MethodPut, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", tokenTTL)
	switch {
	case err != nil:
		return fmt.Errorf("get a token of the instance metadata service: %w", err)
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed: // version 1 knows no PUT
		m.plain = true
	case code != http.StatusOK:
		return fmt.Errorf("get a token: %w", status(code))
	}
	m.token = body
	return nil
}

func (m *IMDS) do(ctx context.Context, method, path, header, value string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, m.base+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if value != "" {
		req.Header.Set(header, value)
	}
	res, err := m.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata))
	return res.StatusCode, strings.TrimSpace(string(body)), err
}

// Who is what the instance says of itself.
type Who struct {
	Instance string `json:"instanceId"`
	Region   string `json:"region"`
	Account  string `json:"accountId"`
	Spot     bool   `json:"-"`
}

// Self reads who the instance is.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
func (m *IMDS) Self(ctx context.Context) (Who, error) {
	var w Who
	body, found, err := m.Get(ctx, "dynamic/instance-identity/document")
	if err != nil {
		return w, err
	}
	if err := json.Unmarshal([]byte(body), &w); !found || err != nil || w.Instance == "" {
		return w, errors.New("the instance metadata service has no identity document of this instance")
	}
	life, _, err := m.Get(ctx, "meta-data/instance-life-cycle")
	w.Spot = life == "spot"
	return w, err
}

// Heard is what one look at IMDS has found.
type Heard struct {
	Target    string    // target lifecycle state; empty: absent
	Ends      time.Time // when EC2 takes the Spot instance back; zero: it does not
	Rebalance string    // when it was recommended; empty: it was not
	Scheduled string    // scheduled events that are active, for people; empty: there are none
}

// Hear looks at what may tell that the instance leaves: two requests, or three for a Spot instance, and with all four of them.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
func (m *IMDS) Hear(ctx context.Context, spot, all bool) (h Heard, err error) {
	if h.Target, _, err = m.Get(ctx, "meta-data/autoscaling/target-lifecycle-state"); err != nil {
		return h, err
	}
	if spot {
		body, found, err := m.Get(ctx, "meta-data/spot/instance-action")
		if err != nil {
			return h, err
		}
		var action struct {
			Time time.Time `json:"time"`
		}
		if found {
			if err := json.Unmarshal([]byte(body), &action); err != nil || action.Time.IsZero() {
				return h, fmt.Errorf("the instance metadata service says of the end of the Spot instance %.100q, which has no time", body)
			}
			h.Ends = action.Time
		}
		body, _, err = m.Get(ctx, "meta-data/events/recommendations/rebalance")
		if err != nil {
			return h, err
		}
		h.Rebalance = body
	}
	if all {
		if h.Scheduled, _, err = m.Get(ctx, "meta-data/events/maintenance/scheduled"); h.Scheduled == "[]" {
			h.Scheduled = ""
		}
	}
	return h, err
}
