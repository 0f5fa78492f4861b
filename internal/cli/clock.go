package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// clockAt returns the clock to work by: the machine's own, or that of a simulated cloud, which may run faster, or stand still with
// speed 0. That is well for one look, and nothing to work by.
func clockAt(ctx context.Context, url string) (now func() time.Time, speed float64, err error) {
	if url == "" {
		return time.Now, 1, nil
	}
	if !strings.Contains(url, "/_sim/") {
		url = strings.TrimSuffix(url, "/") + "/_sim/clock"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, misconfigured(fmt.Errorf("follow the clock at %s: %w; write it like --clock http://127.0.0.1:4599", url, err))
	}
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("follow the clock at %s: %w; is ebb sim running there?", url, err)
	}
	defer res.Body.Close()
	var at struct {
		Now   time.Time
		Speed float64
	}
	if err := json.NewDecoder(res.Body).Decode(&at); err != nil || at.Now.IsZero() {
		return nil, 0, fmt.Errorf("follow the clock at %s: this is not the clock of a simulated cloud; give --clock the URL that ebb sim prints", url)
	}
	began := time.Now()
	return func() time.Time {
		return at.Now.Add(time.Duration(float64(time.Since(began)) * at.Speed))
	}, at.Speed, nil
}
