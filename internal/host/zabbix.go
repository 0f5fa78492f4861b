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

	auth    string // of the calls
	inBody  bool   // as a member of the request, and no header
	version [2]int
	calls   int
}

func (z *zabbix) complete() error {
	if (z.Token == "") == (z.User == "" || z.Password == "") {
		return errors.New("write token, or user and password")
	}
	return errors.Join(needURL("url", z.URL, "http", "https"), needSecret("token", z.Token), needSecret("password", z.Password),
		needWord("action", &z.Action, "disable", "delete", "maintenance"))
}

func (z *zabbix) since(major, minor int) bool {
	return z.version[0] > major || z.version[0] == major && z.version[1] >= minor
}

// Check logs in, and looks for the host.
func (z *zabbix) Check(ctx context.Context, j Job) error {
	return z.session(ctx, j, func(name string) error {
		_, err := z.find(ctx, name)
		return err
	})
}

// Run changes the host in Zabbix, and stops the agent if one is named. The host is disabled while its agent still runs, and again if the
// agent has registered it anew meanwhile.
func (z *zabbix) Run(ctx context.Context, j Job) error {
	return z.session(ctx, j, func(name string) error {
		if err := z.leave(ctx, j, name); err != nil || z.Agent == "" {
			return err
		}
		stop := &systemd{Unit: z.Agent}
		if err := errors.Join(stop.complete(), stop.Run(ctx, j)); err != nil || z.Action == "maintenance" {
			return err
		}
		return z.leave(ctx, j, name)
	})
}

type zabbixHost struct {
	ID     string `json:"hostid"`
	Status string `json:"status"` // 1: disabled
}

// find is the host with a technical name; nil: Zabbix shows us none.
func (z *zabbix) find(ctx context.Context, name string) (*zabbixHost, error) {
	var hosts []zabbixHost
	err := z.call(ctx, "host.get", map[string]any{"filter": map[string]any{"host": []string{name}}, "output": []string{"hostid", "status"}}, &hosts)
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	return &hosts[0], nil
}

func (z *zabbix) leave(ctx context.Context, j Job, name string) error {
	h, err := z.find(ctx, name)
	shown := plain.Text(name, plain.Short)
	switch {
	case err != nil:
		return err
	case h == nil:
		j.say("Zabbix knows no host %s, or this user may not see it; nothing was changed.", shown)
		return nil
	case z.Action == "maintenance":
		return z.maintain(ctx, j, h)
	case z.Action == "delete":
		err = z.call(ctx, "host.delete", []string{h.ID}, nil)
	case h.Status == "1":
		j.say("Host %s is disabled.", shown)
		return nil
	default:
		err = z.call(ctx, "host.update", map[string]any{"hostid": h.ID, "status": 1}, nil)
	}
	if err == nil {
		j.say("%s %s (host id %s).", map[string]string{"disable": "Disabled host", "delete": "Deleted host"}[z.Action], shown, h.ID)
	}
	return err
}

// maintain makes a maintenance for the host alone. Its name has the deadline in it, so that another attempt finds it.
func (z *zabbix) maintain(ctx context.Context, j Job, h *zabbixHost) error {
	name := "ebb " + h.ID + " " + j.Env["EBB_DEADLINE"]
	var there []struct{}
	err := z.call(ctx, "maintenance.get", map[string]any{"filter": map[string]any{"name": []string{name}}}, &there)
	if err != nil || len(there) > 0 {
		return err
	}
	from, long := time.Now().Unix(), int64(cmp.Or(z.Maintenance, time.Hour).Seconds())
	m := map[string]any{
		"name": name, "active_since": from, "active_till": from + long,
		"timeperiods": []any{map[string]any{"timeperiod_type": 0, "start_date": from, "period": long}},
	}
	if m["hostids"] = []string{h.ID}; z.since(6, 0) {
		delete(m, "hostids")
		m["hosts"] = []any{map[string]any{"hostid": h.ID}}
	}
	if err = z.call(ctx, "maintenance.create", m, nil); err == nil {
		j.say("Host id %s is in maintenance for %s.", h.ID, time.Duration(long)*time.Second)
	}
	return err
}

// session asks for the version, logs in if there is no token, and logs out afterwards: sessions count, and a forgotten one stays for a month.
func (z *zabbix) session(ctx context.Context, j Job, do func(name string) error) (err error) {
	name, err := j.fill(ctx, z.Host, asIs)
	if err == nil && name == "" {
		name, err = os.Hostname()
	}
	if err != nil {
		return err
	}
	var version string
	z.auth, z.version = "", [2]int{}
	if err := z.call(ctx, "apiinfo.version", map[string]any{}, &version); err != nil {
		return err
	}
	if n, _ := fmt.Sscanf(version, "%d.%d", &z.version[0], &z.version[1]); n < 2 {
		return fmt.Errorf("Zabbix says that its version is %q", plain.Text(version, plain.Short))
	}
	z.inBody = !z.since(6, 4)
	if z.Token != "" {
		if !z.since(5, 4) {
			return fmt.Errorf("Zabbix %s has no API tokens; write user and password", plain.Text(version, plain.Short))
		}
		if z.auth, err = j.Secrets(ctx, z.Token); err != nil {
			return err
		}
		return do(name)
	}
	password, err := j.Secrets(ctx, z.Password)
	if err != nil {
		return err
	}
	key := "username"
	if !z.since(5, 4) {
		key = "user"
	}
	var session string
	if err := z.call(ctx, "user.login", map[string]any{key: z.User, "password": password}, &session); err != nil {
		return err
	}
	z.auth = session
	defer func() {
		out, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if bad := z.call(out, "user.logout", []any{}, nil); bad != nil {
			j.say("%v.", bad)
		}
	}()
	return do(name)
}

// call makes one call of the API. Errors of the API come with HTTP status 200. https://www.zabbix.com/documentation/current/en/manual/api
func (z *zabbix) call(ctx context.Context, method string, params, into any) error {
	z.calls++
	body := map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": z.calls}
	if z.auth != "" && z.inBody {
		body["auth"] = z.auth
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, z.URL, bytes.NewReader(text))
	if err != nil {
		return errors.New("the url is not valid")
	}
	req.Header.Set("Content-Type", "application/json-rpc")
	if z.auth != "" && !z.inBody {
		req.Header.Set("Authorization", "Bearer "+z.auth)
	}
	status, answer, err := ask(req)
	var said struct {
		Result json.RawMessage
		Error  *struct{ Message, Data string }
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s: Zabbix answers %d", method, status)
	case json.Unmarshal(answer, &said) != nil || said.Result == nil && said.Error == nil:
		return fmt.Errorf("%s: what answers there is not Zabbix's API; url must end with api_jsonrpc.php", method)
	case said.Error != nil:
		return fmt.Errorf("%s: Zabbix refuses: %s %s", method, plain.Text(said.Error.Message, plain.Short), plain.Text(said.Error.Data, plain.Short))
	case into != nil && json.Unmarshal(said.Result, into) != nil:
		return fmt.Errorf("%s: the answer of Zabbix has another form than expected", method)
	}
	return nil
}
