package standin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Watchers are the receiver of the logs and the monitoring server of a story.
type Watchers struct {
	URL string // the receiver is under /logs/HOST, Zabbix under /api_jsonrpc.php

	mu        sync.Mutex
	delivered map[string]int    // lines, by host
	watched   map[string]string // addresses of hosts that are enabled
	failed    map[string]int    // looks in a row that found nobody
	alerts    int
	server    *http.Server
	stop      chan struct{}
	ended     sync.WaitGroup
}

// Watch starts them.
func Watch() (*Watchers, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Watchers{
		URL: "http://" + l.Addr().String(), delivered: map[string]int{}, watched: map[string]string{}, failed: map[string]int{}, stop: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /logs/{host}", func(_ http.ResponseWriter, r *http.Request) {
		chunk, err := io.ReadAll(r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil {
			w.delivered[r.PathValue("host")] += bytes.Count(chunk, []byte{'\n'})
		}
	})
	mux.HandleFunc("POST /api_jsonrpc.php", w.zabbix)
	w.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	w.ended.Go(func() { _ = w.server.Serve(l) }) // ends with ErrServerClosed
	w.ended.Go(w.look)
	return w, nil
}

// Close ends them.
func (w *Watchers) Close() {
	close(w.stop)
	_ = w.server.Close()
	w.ended.Wait()
}

// alarmAfter is how many looks in a row, a second apart, must find nobody before somebody is called.
const alarmAfter = 3

func (w *Watchers) look() {
	for tick := time.Tick(time.Second); ; {
		select {
		case <-w.stop:
			return
		case <-tick:
		}
		w.mu.Lock()
		for name, address := range w.watched { //ebb:any-order each for itself
			c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
			if w.failed[name]++; err == nil {
				w.failed[name] = 0
				_ = c.Close()
			}
			if w.failed[name] == alarmAfter {
				w.alerts++
			}
		}
		w.mu.Unlock()
	}
}

// Alerts is how many hosts somebody was called for.
func (w *Watchers) Alerts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alerts
}

// Delivered is how many lines of a host have arrived.
func (w *Watchers) Delivered(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.delivered[host]
}

// Forget takes a host out of monitoring, as Zabbix's API does.
func (w *Watchers) Forget(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watched, host)
}

// zabbix is as much of the API of Zabbix 7.0 as takes a host out. https://www.zabbix.com/documentation/7.0/en/manual/api
func (w *Watchers) zabbix(out http.ResponseWriter, r *http.Request) {
	var ask struct {
		Method string
		Params json.RawMessage
	}
	_ = json.NewDecoder(r.Body).Decode(&ask) // what is no call is answered with an error
	var result any
	switch ask.Method {
	case "apiinfo.version":
		result = "7.0.0"
	case "host.get":
		var p struct{ Filter struct{ Host []string } }
		found := []any{}
		if json.Unmarshal(ask.Params, &p) == nil && len(p.Filter.Host) == 1 {
			w.mu.Lock()
			_, on := w.watched[p.Filter.Host[0]]
			w.mu.Unlock()
			found = append(found, map[string]string{"hostid": p.Filter.Host[0], "status": map[bool]string{true: "0", false: "1"}[on]})
		}
		result = found
	case "host.update":
		var p struct{ HostID string }
		if json.Unmarshal(ask.Params, &p) == nil {
			w.Forget(p.HostID)
		}
		result = map[string]any{"hostids": []string{p.HostID}}
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": 1, "result": result}
	if result == nil {
		answer = map[string]any{"jsonrpc": "2.0", "id": 1, "error": map[string]any{"code": -32601, "message": "Method not found."}}
	}
	_ = json.NewEncoder(out).Encode(answer) // a client that is gone needs no answer
}

// Host is the processes of a host.
type Host struct {
	Name    string
	Dir     string // its disk: pid files, and what the application wrote
	Fluentd string // URL of its API

	watchers *Watchers
	mu       sync.Mutex
	all      []*exec.Cmd
	dead     bool
	ended    sync.WaitGroup
}

// StartHost starts the processes of a host: program is run with the arguments of Run behind others.
func StartHost(name, dir string, w *Watchers, program ...string) (h *Host, err error) {
	h = &Host{Name: name, Dir: filepath.Join(dir, name), watchers: w}
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.Kill()
		}
	}()
	said, err := h.start("fluentd", program, "fluentd", w.URL+"/logs/"+name)
	if err != nil {
		return nil, err
	}
	in, api, _ := strings.Cut(said, " ")
	h.Fluentd = "http://" + api
	if _, err = h.start("app", program, "app", in, h.wrote()); err != nil {
		return nil, err
	}
	address, err := h.start("monitored", program, "monitored")
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched[name] = address
	return h, nil
}

func (h *Host) wrote() string { return filepath.Join(h.Dir, "wrote") }

// PIDFile is where the process id of one of its processes stands.
func (h *Host) PIDFile(process string) string { return filepath.Join(h.Dir, process+".pid") }

// start starts a process and returns the first line that it prints.
func (h *Host) start(name string, program []string, args ...string) (string, error) {
	c := exec.Command(program[0], append(program[1:len(program):len(program)], args...)...)
	c.Stderr = io.Discard
	out, err := c.StdoutPipe()
	if err == nil {
		_, err = c.StdinPipe() // open for as long as this process lives
	}
	if err == nil {
		err = h.Begin(c)
	}
	if err != nil {
		return "", fmt.Errorf("start %s on host %s: %w", name, h.Name, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("start %s on host %s: it says nothing: %w", name, h.Name, err)
	}
	return strings.TrimSpace(line), os.WriteFile(h.PIDFile(name), fmt.Append(nil, c.Process.Pid), 0o600)
}

// Begin starts a further process on the host; it ends with the host.
func (h *Host) Begin(c *exec.Cmd) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead {
		return errors.New("the host is gone")
	}
	if err := c.Start(); err != nil {
		return err
	}
	h.all = append(h.all, c)
	h.ended.Go(func() { _, _ = c.Process.Wait() })
	return nil
}

// Signal sends a signal to one of its processes, as kill with its pid file does.
func (h *Host) Signal(process string, s os.Signal) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := map[string]int{"fluentd": 0, "app": 1, "monitored": 2}[process]
	if h.dead {
		return errors.New("the host is gone")
	}
	return h.all[i].Process.Signal(s)
}

// Kill ends all of it at once, as the end of a machine does.
func (h *Host) Kill() {
	h.mu.Lock()
	h.dead = true
	for _, c := range h.all {
		_ = c.Process.Kill()
	}
	h.mu.Unlock()
	h.ended.Wait()
}

// Lines is how many lines its application wrote, and how many of those are lost: once the host is gone, all that have not arrived.
func (h *Host) Lines() (wrote, lost int) {
	b, _ := os.ReadFile(h.wrote()) // before the first line there is none
	wrote = bytes.Count(b, []byte{'\n'})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead {
		lost = max(0, wrote-h.watchers.Delivered(h.Name))
	}
	return wrote, lost
}
