package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Introspection asks the ECS agent of the host.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-introspection.html
type Introspection struct {
	URL    string   // empty: http://127.0.0.1:51678
	Ignore []string // patterns of task families that nobody waits for, such as the log shipper's own
	client http.Client
}

// OnHost is what the ECS agent says.
type OnHost struct {
	Cluster string
	ARN     fleet.ARN // of the container instance
	Tasks   []string  // families of the tasks that have not stopped
}

// Read asks once.
func (i *Introspection) Read(ctx context.Context) (on OnHost, err error) {
	var meta struct {
		Cluster              string
		ContainerInstanceArn string
	}
	var tasks struct {
		Tasks []struct{ Family, KnownStatus string }
	}
	if err := i.get(ctx, "metadata", &meta); err != nil {
		return on, err
	}
	if err := i.get(ctx, "tasks", &tasks); err != nil {
		return on, err
	}
	on.Cluster, on.ARN = fleet.ARN(meta.Cluster).Name(), fleet.ARN(meta.ContainerInstanceArn)
	for _, t := range tasks.Tasks {
		ignored := slices.ContainsFunc(i.Ignore, func(p string) bool { ok, _ := path.Match(p, t.Family); return ok })
		if t.KnownStatus != "STOPPED" && !ignored {
			on.Tasks = append(on.Tasks, t.Family)
		}
	}
	return on, nil
}

func (i *Introspection) get(ctx context.Context, what string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := strings.TrimSuffix(cmp.Or(i.URL, "http://127.0.0.1:51678"), "/") + "/v1/" + what
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := i.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the ECS agent of this host: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the ECS agent of this host: %s answers %s", url, res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(into); err != nil {
		return fmt.Errorf("read what the ECS agent of this host says at %s: %w", url, err)
	}
	return nil
}
