//go:build zabbix

package host

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestRealZabbix needs a real Zabbix, which test/zabbix.sh starts.
func TestRealZabbix(t *testing.T) {
	at := os.Getenv("EBB_ZABBIX_URL")
	j, out := job("env:P", "zabbix", "env:WRONG", "pl4nted-secret")
	admin := &zabbix{URL: at, User: "Admin", Password: "env:P"}
	ask := func(method string, params, into any) {
		t.Helper()
		err := admin.session(context.Background(), j, func(s *session) error { return s.call(context.Background(), method, params, into) })
		if err != nil {
			t.Fatal(err)
		}
	}
	status := func(name string) string {
		t.Helper()
		var hosts []map[string]string
		ask("host.get", map[string]any{"filter": map[string]any{"host": name}, "output": []string{"status", "maintenance_status"}}, &hosts)
		if len(hosts) == 0 {
			return "none"
		}
		return hosts[0]["status"]
	}
	var group struct{ Groupids []string }
	ask("hostgroup.create", map[string]any{"name": "ebb"}, &group)
	host := func(name string) string {
		t.Helper()
		var made struct{ Hostids []string }
		ask("host.create", map[string]any{"host": name, "groups": []any{map[string]any{"groupid": group.Groupids[0]}}}, &made)
		return made.Hostids[0]
	}
	step := func(text string) (string, error) {
		t.Helper()
		jj, o := job("env:P", "zabbix", "env:WRONG", "pl4nted-secret", "env:TOKEN", os.Getenv("TOKEN"))
		err := parse(t, "zabbix: {url: '"+at+"', "+text+"}").Run(context.Background(), jj)
		return o.String(), err
	}

	host("web 1")
	if o, err := step("user: Admin, password: env:P, host: web 1"); err != nil || status("web 1") != "1" {
		t.Fatal(o, err, status("web 1"))
	}
	if o, err := step("user: Admin, password: env:P, host: web 1"); err != nil || !strings.Contains(o, "disable of host web 1") {
		t.Error(o, err)
	}
	if o, err := step("user: Admin, password: env:P, host: no such host"); err != nil || !strings.Contains(o, "knows no host no such host") {
		t.Error(o, err)
	}
	if o, err := step("user: Admin, password: env:WRONG, host: web 1"); err == nil || strings.Contains(o+err.Error(), "pl4nted") {
		t.Error(o, err)
	} else {
		t.Log(err)
	}

	// An API token, and a host that is found by the instance id.
	var made struct{ Tokenids []string }
	ask("token.create", map[string]any{"name": "ebb", "userid": "1"}, &made)
	var tokens []struct{ Token string }
	ask("token.generate", made.Tokenids, &tokens)
	t.Setenv("TOKEN", tokens[0].Token)
	host("i-0123456789abcdef0")
	if o, err := step(`token: env:TOKEN, host: "${EBB_INSTANCE_ID}", action: maintenance, maintenance: 2h`); err != nil {
		t.Fatal(o, err)
	}
	if o, err := step(`token: env:TOKEN, host: "${EBB_INSTANCE_ID}", action: maintenance, maintenance: 2h`); err != nil {
		t.Error("a second attempt: ", o, err)
	}
	var kept []struct {
		Since int64 `json:"active_since,string"`
		Till  int64 `json:"active_till,string"`
		Hosts []struct{ Host string }
	}
	ask("maintenance.get", map[string]any{"output": "extend", "selectHosts": []string{"host"}}, &kept)
	if len(kept) != 1 || kept[0].Till-kept[0].Since != 7200 || len(kept[0].Hosts) != 1 || kept[0].Hosts[0].Host != "i-0123456789abcdef0" {
		t.Errorf("%+v", kept)
	}
	host("web 2")
	if o, err := step("token: env:TOKEN, host: web 2, action: delete"); err != nil || status("web 2") != "none" {
		t.Fatal(o, err, status("web 2"))
	}
	if err := parse(t, "zabbix: {url: '"+at+"', user: Admin, password: env:P}").Check(context.Background(), j); err != nil {
		t.Error(err)
	}
	db := strings.Fields(os.Getenv("EBB_ZABBIX_DB"))
	open, err := exec.Command(db[0], append(db[1:], "-c", "select count(*) from sessions where status = 0")...).Output()
	if err != nil || strings.TrimSpace(string(open)) != "0" {
		t.Errorf("%s sessions are open; %v\n%s", open, err, out)
	}
	alerts(t, ask, host, step)
}

// alerts: ten hosts leave and are disabled, one dies. Zabbix must tell of that one only.
func alerts(t *testing.T, ask func(string, any, any), host func(string) string, step func(string) (string, error)) {
	const leaving = 10
	name := func(i int) string { return fmt.Sprintf("fleet-%02d", i) }
	for i := range leaving + 1 {
		id := host(name(i))
		ask("item.create", map[string]any{"name": "alive", "key_": "alive", "hostid": id, "type": 2, "value_type": 3}, nil)
		ask("trigger.create", map[string]any{"description": "silent", "expression": "nodata(/" + name(i) + "/alive,30s)=1", "priority": 4}, nil)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		said := send(t, leaving+1, name)
		if strings.Contains(said, fmt.Sprintf("processed: %d;", leaving+1)) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("Zabbix takes no values: ", said)
		}
	}
	for i := range leaving {
		if o, err := step("token: env:TOKEN, host: " + name(i)); err != nil {
			t.Fatal(o, err)
		}
	}
	var problems []struct{ Hosts []struct{ Host string } }
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		ask("trigger.get", map[string]any{"filter": map[string]any{"value": 1}, "group": "ebb", "selectHosts": []string{"host"}}, &problems)
		if len(problems) > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no alert came for the host that died")
		}
	}
	time.Sleep(5 * time.Second) // the triggers of all hosts are looked at together
	ask("event.get", map[string]any{"source": 0, "object": 0, "value": 1, "selectHosts": []string{"host"}, "groupids": nil}, &problems)
	var of []string
	for _, p := range problems {
		if h := p.Hosts[0].Host; strings.HasPrefix(h, "fleet") {
			of = append(of, h)
		}
	}
	if len(of) != 1 || of[0] != name(leaving) {
		t.Errorf("alerts for %v, want one for %s", of, name(leaving))
	}
}

// send sends a value of each host as zabbix_sender does.
func send(t *testing.T, n int, name func(int) string) string {
	t.Helper()
	var data []any
	for i := range n {
		data = append(data, map[string]any{"host": name(i), "key": "alive", "value": "1"})
	}
	text, _ := json.Marshal(map[string]any{"request": "sender data", "data": data})
	conn, err := net.Dial("tcp", os.Getenv("EBB_ZABBIX_TRAPPER"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := binary.LittleEndian.AppendUint64([]byte("ZBXD\x01"), uint64(len(text)))
	if _, err := conn.Write(append(head, text...)); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
