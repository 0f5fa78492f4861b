package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// doubleZabbix is the API of one version, strict: it refuses what that version refuses, with HTTP status 200 as Zabbix does.
type doubleZabbix struct {
	major, minor int
	hosts        map[string]map[string]string // by name: hostid, status
	maintenances []map[string]any
	sessions     map[string]bool
	calls        []string
	broken       int // answers 500 so many times
	agent        *doubleSystemd
	registers    bool // while the agent runs, a host that is changed is registered anew
}

const zabbixToken, zabbixPassword = "t0ken5ecret", "passw0rd5ecret"

func (z *doubleZabbix) since(major, minor int) bool {
	return z.major > major || z.major == major && z.minor >= minor
}

type zabbixError struct {
	code          int
	message, data string
}

func invalid(format string, args ...any) *zabbixError {
	return &zabbixError{-32602, "Invalid params.", fmt.Sprintf(format, args...)}
}

func (z *doubleZabbix) serve(t *testing.T) string {
	z.sessions = map[string]bool{}
	return serve(t, func(w *response, r *request) {
		var call map[string]any
		text := body(r)
		switch {
		case z.broken > 0:
			z.broken--
			w.WriteHeader(500)
			return
		case r.Header.Get("Content-Type") != "application/json-rpc" || r.Method != http.MethodPost || r.URL.Path != "/api_jsonrpc.php":
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		case json.Unmarshal([]byte(text), &call) != nil:
			t.Errorf("no JSON: %s", text)
		}
		method, _ := call["method"].(string)
		z.calls = append(z.calls, method)
		answer := map[string]any{"jsonrpc": "2.0", "id": call["id"]}
		result, bad := z.answer(r, call, method)
		if answer["result"] = result; bad != nil {
			delete(answer, "result")
			answer["error"] = map[string]any{"code": bad.code, "message": bad.message, "data": bad.data}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}) + "api_jsonrpc.php"
}

// answer checks the envelope and who asks.
func (z *doubleZabbix) answer(r *request, call map[string]any, method string) (any, *zabbixError) {
	for k := range call {
		if k == "auth" && !z.since(7, 2) {
			continue
		}
		if !slices.Contains([]string{"jsonrpc", "method", "params", "id"}, k) {
			return nil, &zabbixError{-32600, "Invalid request.", `Invalid parameter "/": unexpected parameter "` + k + `".`}
		}
	}
	inBody, _ := call["auth"].(string)
	_, hasBody := call["auth"]
	inHeader, hasHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !z.since(6, 4) {
		inHeader, hasHeader = "", false // it looks at no header
	}
	if method == "apiinfo.version" || method == "user.login" {
		if hasBody || hasHeader {
			return nil, invalid(`The "%s" method must be called without the "auth" parameter.`, method)
		}
		if method == "apiinfo.version" {
			return fmt.Sprintf("%d.%d.7", z.major, z.minor), nil
		}
		return z.login(call["params"])
	}
	auth := inBody + inHeader
	if !z.sessions[auth] && !(auth == zabbixToken && z.since(5, 4)) {
		return nil, invalid("Not authorized. Echo: %s", auth)
	}
	return z.do(method, call["params"], auth)
}

func (z *doubleZabbix) login(params any) (any, *zabbixError) {
	p, _ := params.(map[string]any)
	name := "username"
	if !z.since(5, 4) {
		name = "user"
	}
	for k := range p {
		if k != name && k != "password" && !(k == "user" && !z.since(6, 4)) {
			return nil, invalid(`Invalid parameter "/": unexpected parameter "%s".`, k)
		}
	}
	if p["password"] != zabbixPassword || p[name] != "ebb" {
		return nil, invalid("Login name or password is incorrect. Echo: %v", p["password"])
	}
	s := fmt.Sprintf("5e55ion%d", len(z.sessions))
	z.sessions[s] = true
	return s, nil
}

func (z *doubleZabbix) do(method string, params any, auth string) (any, *zabbixError) {
	p, _ := params.(map[string]any)
	switch method {
	case "user.logout":
		if list, ok := params.([]any); !ok || len(list) > 0 || !z.sessions[auth] {
			return nil, invalid(`Invalid parameter "/": an empty array is expected.`)
		}
		delete(z.sessions, auth)
		return true, nil
	case "host.get":
		found := []any{}
		for _, name := range p["filter"].(map[string]any)["host"].([]any) {
			if h := z.hosts[name.(string)]; h != nil {
				found = append(found, h)
			}
		}
		return found, nil
	case "host.update", "host.delete":
		ids, ok := params.([]any)
		if p != nil {
			ids, ok = []any{p["hostid"]}, len(p) == 2 && p["status"] == float64(1)
		}
		if !ok || (p == nil) != (method == "host.delete") {
			return nil, invalid(`Invalid parameter "/": unexpected parameter.`)
		}
		for name, h := range z.hosts {
			if h["hostid"] != ids[0] {
				continue
			}
			if h["status"] = "1"; method == "host.delete" {
				delete(z.hosts, name)
			}
			if z.registers && z.agent.running() {
				z.hosts[name] = map[string]string{"hostid": h["hostid"] + "0", "status": "0"}
			}
			return map[string]any{"hostids": ids}, nil
		}
		return nil, &zabbixError{-32500, "Application error.", "No permissions to referred object or it does not exist!"}
	case "maintenance.get":
		found := []any{}
		for _, m := range z.maintenances {
			if slices.Contains(p["filter"].(map[string]any)["name"].([]any), m["name"]) {
				found = append(found, m)
			}
		}
		return found, nil
	case "maintenance.create":
		allowed := []string{"name", "active_since", "active_till", "timeperiods", "hosts", "groups"}
		if !z.since(6, 0) {
			allowed = []string{"name", "active_since", "active_till", "timeperiods", "hostids", "groupids"}
		}
		for _, k := range slices.Sorted(maps.Keys(p)) {
			if !slices.Contains(allowed, k) {
				return nil, invalid(`Invalid parameter "/1": unexpected parameter "%s".`, k)
			}
		}
		z.maintenances = append(z.maintenances, p)
		return map[string]any{"maintenanceids": []string{"1"}}, nil
	}
	return nil, invalid("Incorrect method %q.", method)
}

func TestZabbixOfEachVersion(t *testing.T) {
	for _, v := range [][2]int{{5, 0}, {5, 2}, {5, 4}, {6, 0}, {6, 2}, {6, 4}, {7, 0}, {7, 2}, {7, 4}, {8, 0}} {
		for _, who := range []string{"token: env:TOKEN", "user: ebb, password: env:PASSWORD"} {
			for action, want := range map[string]string{"disable": "host.update", "delete": "host.delete", "maintenance": "maintenance.create"} {
				t.Run(fmt.Sprintf("%d.%d %s %s", v[0], v[1], who, action), func(t *testing.T) {
					z := &doubleZabbix{major: v[0], minor: v[1], hosts: map[string]map[string]string{"web-17": {"hostid": "10117", "status": "0"}}}
					k := parse(t, fmt.Sprintf("zabbix: {url: '%s', host: web-17, action: %s, %s}", z.serve(t), action, who))
					j, out := job("env:TOKEN", zabbixToken, "env:PASSWORD", zabbixPassword)
					checked := k.Check(context.Background(), j)
					if len(z.maintenances) > 0 || z.hosts["web-17"]["status"] != "0" {
						t.Error("a check changes something")
					}
					_, err := run(t, k, j, time.Minute)
					if strings.HasPrefix(who, "token") && !z.since(5, 4) {
						if err == nil || !strings.Contains(err.Error(), "has no API tokens; write user and password") || checked == nil {
							t.Error(err, checked)
						}
						return
					}
					if err != nil || checked != nil || !slices.Contains(z.calls, want) {
						t.Errorf("%v %v %v\n%s", err, checked, z.calls, out)
					}
					if len(z.sessions) > 0 {
						t.Error("nobody has logged out")
					}
					if h := z.hosts["web-17"]; action == "disable" && h["status"] != "1" || action == "delete" && h != nil || action == "maintenance" && h["status"] != "0" {
						t.Error(h)
					}
					if _, err := run(t, k, j, time.Minute); err != nil || len(z.maintenances) > 1 {
						t.Error("another attempt: ", err, z.maintenances)
					}
				})
			}
		}
	}
}

func TestZabbixRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		z          *doubleZabbix
		step, want string
	}{
		"unknown host":   {&doubleZabbix{major: 7, minor: 4}, "token: env:TOKEN", ""},
		"500":            {&doubleZabbix{major: 7, minor: 4, broken: 2}, "token: env:TOKEN", "apiinfo.version: Zabbix answers 500"},
		"wrong token":    {&doubleZabbix{major: 7, minor: 4}, "token: env:WRONG", "host.get: Zabbix refuses: Invalid params. Not authorized. Echo: [secret]"},
		"wrong password": {&doubleZabbix{major: 5, minor: 0}, "user: ebb, password: env:WRONG", "user.login: Zabbix refuses"},
		"no secret":      {&doubleZabbix{major: 5, minor: 0}, "user: ebb, password: env:NONE", "env:NONE: there is no such secret"},
	} {
		t.Run(name, func(t *testing.T) {
			k := parse(t, "zabbix: {url: '"+c.z.serve(t)+"', host: web-17, "+c.step+"}")
			j, _ := job("env:TOKEN", zabbixToken, "env:WRONG", "wr0ng5ecret")
			out, err := run(t, k, j, time.Minute)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Error(out, err)
			}
			if c.want == "" {
				contains(t, out, "Zabbix knows no host web-17")
			}
			if strings.Contains(out+fmt.Sprint(err), "5ecret") {
				t.Error(out, err)
			}
			if c.z.broken > 0 { // tried again within the time of the step
				for range 2 {
					out, err = run(t, k, j, time.Minute)
				}
				if err != nil {
					t.Error(out, err)
				}
			}
		})
	}
	j, _ := job("env:TOKEN", zabbixToken)
	at := serve(t, func(w *response, _ *request) { fmt.Fprint(w, "<html>") })
	out, err := run(t, parse(t, "zabbix: {url: '"+at+"', token: env:TOKEN}"), j, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "must end with api_jsonrpc.php") {
		t.Error(out, err)
	}
}

// TestZabbixAndItsAgent: the host is disabled while the agent still answers, and an agent that registers it anew until it is stopped does not win.
func TestZabbixAndItsAgent(t *testing.T) {
	for _, action := range []string{"disable", "delete"} {
		d := newSystemd(t, "zabbix-agent2.service")
		hosts := map[string]map[string]string{"web-17": {"hostid": "10117", "status": "0"}}
		z := &doubleZabbix{major: 6, minor: 0, agent: d, registers: true, hosts: hosts}
		k := parse(t, "zabbix: {url: '"+z.serve(t)+"', host: web-17, token: env:TOKEN, agent: zabbix-agent2, action: "+action+"}")
		j, _ := job("env:TOKEN", zabbixToken)
		out, err := run(t, k, j, time.Minute)
		if h := z.hosts["web-17"]; err != nil || d.running() || action == "disable" && h["status"] != "1" || action == "delete" && h != nil {
			t.Error(out, err, z.hosts, z.calls)
		}
	}
}
