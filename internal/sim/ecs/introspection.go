package ecs

import (
	"encoding/json"
	"strings"
)

// Introspect answers a process on a host that asks the ECS agent there; empty: no agent, or no such page.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-introspection.html
func (w *ECS) Introspect(instance, path string) string {
	ci := w.newest(instance)
	if ci == nil || !ci.h.Alive() {
		return ""
	}
	var page any
	switch strings.TrimSuffix(path, "/") {
	case "/v1/metadata":
		page = map[string]string{"Cluster": ci.Cluster, "ContainerInstanceArn": ci.ARN, "Version": "Amazon ECS Agent - v" + ci.AgentVersion}
	case "/v1/tasks":
		tasks := []map[string]any{}
		for _, t := range ci.tasks {
			tasks = append(tasks, map[string]any{
				"Arn": t.ARN, "Family": t.def.Family, "DesiredStatus": t.DesiredStatus, "KnownStatus": t.knownStatus(), "Containers": []any{},
			})
		}
		page = map[string]any{"Tasks": tasks}
	default:
		return ""
	}
	b, err := json.Marshal(page)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}

// knownStatus is that of the containers on the host, whatever ECS has been told.
func (t *task) knownStatus() string {
	switch {
	case t.Process:
		return "RUNNING"
	case t.DesiredStatus == "STOPPED":
		return "STOPPED"
	}
	return "CREATED"
}
