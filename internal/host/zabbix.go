package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/ebbhq/ebb/internal/plain"
)

// zabbix tells Zabbix, 5.0 to 8.0, that the host leaves, so that nobody is alarmed.
type zabbix struct {
	URL         string        `yaml:"url"`         // ends with api_jsonrpc.php
	Token       string        `yaml:"token"`       // where an API token stands, since 5.4; or user and password
	User        string        `yaml:"user"`        //
	Password    string        `yaml:"password"`    // where it stands
	Host        string        `yaml:"host"`        // its technical name; the host name of the machine if nothing is said
	Action      string        `yaml:"action"`      //
	Maintenance time.Duration `yaml:"maintenance"` // how long, with action: maintenance
	Agent       string        `yaml:"agent"`       // the unit of Zabbix's agent, which is to be stopped
}

func (z *zabbix) complete() error {
	if (z.Token == "") == (z.User == "" || z.Password == "") {
		return errors.New("write token, or user and password")
	}
	return errors.Join(needURL("url", z.URL, "http", "https"), needSecret("token", z.Token), needSecret("password", z.Password),
		needWord("action", &z.Action, "disable", "delete", "maintenance"))
}

// Check logs in, and looks for the host.
func (z *zabbix) Check(ctx context.Context, j Job) error {
	return z.session(ctx, j, func(s *session) error {
		_, err := s.find(ctx)
		return err
	})
}

// Run changes the host in Zabbix, and stops the agent if one is named. The host is disabled while its agent still runs, and again afterwards
// if the agent has registered it anew meanwhile.
func (z *zabbix) Run(ctx context.Context, j Job) error {
	return z.session(ctx, j, func(s *session) error {
		if err := s.leave(ctx, j); err != nil || z.Agent == "" {
			return err
		}
		stop := &systemd{Unit: z.Agent}
		if err := errors.Join(stop.complete(), stop.Run(ctx, j)); err != nil {
			return err
		}
		return s.leave(ctx, j)
	})
}

// session is who asks, and what is known of Zabbix.
type session struct {
	*zabbix
	name         string // of the host
	auth         string // a token, or what a login gives
	major, minor int    // of the version
}

// session asks for the version, and logs in if there is no token. It logs out: what is left open is open for a month.
func (z *zabbix) session(ctx context.Context, j Job, do func(*session) error) error {
	s := &session{zabbix: z}
	machine, err := os.Hostname()
	name, bad := j.fill(ctx, z.Host, asIs)
	secret, worse := j.Secrets(ctx, cmp.Or(z.Token, z.Password))
	if err := errors.Join(err, bad, worse); err != nil {
		return err
	}
	s.name = cmp.Or(name, machine)
	var version string
	if err := s.call(ctx, "apiinfo.version", map[string]any{}, &version); err != nil {
		return err
	}
	if _, err := fmt.Sscanf(version, "%d.%d", &s.major, &s.minor); err != nil {
		return fmt.Errorf("read the version of Zabbix: the server says %q, and a version is like 6.0.14; check the url of the step", plain.Text(version, plain.Short))
	}
	if z.Token != "" {
		if s.auth = secret; !s.since(5, 4) {
			return fmt.Errorf("this Zabbix, %s, has no API tokens; write user and password", plain.Text(version, plain.Short))
		}
		return do(s)
	}
	key := "username"
	if !s.since(5, 4) {
		key = "user"
	}
	if err := s.call(ctx, "user.login", map[string]any{key: z.User, "password": secret}, &s.auth); err != nil {
		return err
	}
	err = do(s)
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if bad := s.call(out, "user.logout", []any{}, nil); bad != nil {
		j.say("%v.", bad)
	}
	return err
}

func (s *session) since(major, minor int) bool {
	return s.major > major || s.major == major && s.minor >= minor
}

type zabbixHost struct {
	ID     string `json:"hostid"`
	Status string `json:"status"` // 1: disabled
}

// find is the host; nil: Zabbix shows us none.
func (s *session) find(ctx context.Context) (*zabbixHost, error) {
	var hosts []zabbixHost
	err := s.call(ctx, "host.get", map[string]any{"filter": map[string]any{"host": []string{s.name}}, "output": []string{"hostid", "status"}}, &hosts)
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	return &hosts[0], nil
}

func (s *session) leave(ctx context.Context, j Job) error {
	h, err := s.find(ctx)
	if err == nil && h == nil {
		j.say("Zabbix knows no host %s, or does not show it to this user.", s.name)
	}
	if err != nil || h == nil {
		return err
	}
	switch {
	case s.Action == "maintenance":
		err = s.maintain(ctx, j, h)
	case s.Action == "delete":
		err = s.call(ctx, "host.delete", []string{h.ID}, nil)
	case h.Status != "1":
		err = s.call(ctx, "host.update", map[string]any{"hostid": h.ID, "status": 1}, nil)
	}
	if err == nil {
		j.say("%s of host %s, id %s: done.", s.Action, s.name, h.ID)
	}
	return err
}

// maintain makes a maintenance for the host alone. Its name has the deadline in it, so that another attempt finds it.
func (s *session) maintain(ctx context.Context, j Job, h *zabbixHost) error {
	name := "ebb " + h.ID + " " + j.Env["EBB_DEADLINE"]
	var there []struct{}
	err := s.call(ctx, "maintenance.get", map[string]any{"filter": map[string]any{"name": []string{name}}}, &there)
	if err != nil || len(there) > 0 {
		return err
	}
	from, long := time.Now().Unix(), int64(cmp.Or(s.Maintenance, time.Hour).Seconds())
	m := map[string]any{
		"name": name, "active_since": from, "active_till": from + long,
		"timeperiods": []any{map[string]any{"timeperiod_type": 0, "start_date": from, "period": long}},
	}
	if s.since(6, 0) {
		m["hosts"] = []any{map[string]any{"hostid": h.ID}}
	} else {
		m["hostids"] = []string{h.ID}
	}
	return s.call(ctx, "maintenance.create", m, nil)
}

// call makes one call of the API. Errors of the API come with HTTP status 200. https://www.zabbix.com/documentation/current/en/manual/api
func (s *session) call(ctx context.Context, method string, params, into any) error {
	body := map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
	if s.auth != "" && !s.since(6, 4) {
		body["auth"] = s.auth // since 7.2 this is refused
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json-rpc")
	if s.auth != "" && s.since(6, 4) {
		req.Header.Set("Authorization", "Bearer "+s.auth)
	}
	var said struct {
		Result json.RawMessage
		Error  *struct{ Message, Data string }
	}
	switch status, answer, err := ask(req); {
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s: Zabbix answers %d", method, status)
	case json.Unmarshal(answer, &said) != nil || said.Result == nil && said.Error == nil:
		return fmt.Errorf("%s: what answers there is not Zabbix's API; url must end with api_jsonrpc.php", method)
	case said.Error != nil:
		return fmt.Errorf("%s: Zabbix refuses: %s", method, plain.Text(said.Error.Message+" "+said.Error.Data, plain.Short))
	case into != nil && json.Unmarshal(said.Result, into) != nil:
		return fmt.Errorf("%s: the answer of Zabbix has another form than expected", method)
	}
	return nil
}
