package cloud

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// connections asks an endpoint of the user how many connections each target has. {id} and {port} in its URL stand for those of the target.
func (s *lookup) connections(ctx context.Context, l plan.Look) (last error) {
	for _, t := range l.Subjects {
		s.Calls++
		n, err := s.connectionsOf(ctx, t)
		if err != nil {
			last = err
			s.fail([]plan.ItemFailure{{ID: t.ID, Class: plan.Unclear, Reason: err.Error()}})
			continue
		}
		s.View.Connections = append(s.View.Connections, plan.Open{Target: fleet.TargetID{ID: t.ID, Port: t.Port}, Count: n})
	}
	if len(s.View.Connections) > 0 {
		last = nil
	}
	return last
}

func (s *lookup) connectionsOf(ctx context.Context, t plan.Subject) (int, error) {
	id := t.ID
	if strings.Contains(id, ":") {
		id = "[" + id + "]" // an address of IPv6
	}
	where := strings.NewReplacer("{id}", id, "{port}", strconv.Itoa(t.Port)).Replace(t.In)
	if s.Get == nil {
		return 0, fmt.Errorf("there is nothing to ask %s with", where)
	}
	body, err := s.Get(ctx, where)
	if err != nil {
		return 0, fmt.Errorf("ask how many connections are open: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(body))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s must answer with a number of connections, such as 0, and says %.40q", where, body)
	}
	return n, nil
}

// getter asks endpoints of the user, each within a few seconds, and follows no redirect.
var getter = http.Client{
	Timeout:       3 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// get returns what an endpoint answers. No error shows a password in the URL.
func get(ctx context.Context, where string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return "", err
	}
	res, err := getter.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", redacted(where), res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	return string(body), err
}

func redacted(where string) string {
	u, err := url.Parse(where)
	if err != nil {
		return "the endpoint"
	}
	return u.Redacted()
}

// ttl looks at for how long clients keep the records of a service of Cloud Map.
func (s *lookup) ttl(ctx context.Context, l plan.Look) error {
	return count(&s.Calls)(ctx, func() error {
		ttl, err := s.Names.TTL(ctx, l.In)
		s.View.Delays = []fleet.Delay{{In: fleet.ARN(l.In), Delay: ttl}}
		return err
	})
}

// TTL asks with GetService.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_GetService.html
func (n names) TTL(ctx context.Context, service string) (longest time.Duration, err error) {
	var out struct {
		Service struct {
			DnsConfig struct{ DnsRecords []struct{ TTL int64 } }
		}
	}
	err = n.ask(ctx, "GetService", map[string]string{"Id": service}, &out)
	for _, r := range out.Service.DnsConfig.DnsRecords {
		longest = max(longest, time.Duration(r.TTL)*time.Second)
	}
	return longest, err
}
