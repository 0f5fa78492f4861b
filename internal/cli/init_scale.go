package cli

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/inventory"
)

const scaleTemplateFile = "ebb-scale.yaml"

// scaled is a service that ebb init --scale sets up.
type scaled struct {
	cluster, service string
	group            string // the end of the ARN of its target group
	desired          int
}

// rule is the name of the rule that tells of its alarms; the names of the alarms begin so.
func (v scaled) rule(ebb string) string { return ebb + "-scale-" + v.cluster + "-" + v.service }

// stack is the name of its stack, in which CloudFormation takes letters, digits and - only.
func (v scaled) stack(ebb string) string {
	return regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(v.rule(ebb), "-")
}

func (v scaled) parametersFile(ebb string) string { return v.stack(ebb) + "-parameters.json" }

// settings is the service as the configuration has it, in one line.
func (v scaled) settings(ebb string) string {
	least := max(v.desired, 1)
	return fmt.Sprintf(`{service: "%s/%s", min: %d, max: %d, alarms: [{name: "%[5]s-high", change: "+50%%"}, {name: "%[5]s-low", change: "-10%%"}]}`,
		v.cluster, v.service, least, 4*least, v.rule(ebb))
}

// longestRule is how long the name of a rule of EventBridge may be.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
const longestRule = 64

// checkScale refuses what cannot be meant.
func (f *initFlags) checkScale() error {
	for _, name := range f.scale {
		if !regexp.MustCompile(`^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$`).MatchString(name) {
			return fmt.Errorf("--scale is %q; write CLUSTER/SERVICE, like --scale prod/web", name)
		}
	}
	if f.mail != "" && len(f.scale) == 0 {
		return fmt.Errorf("--mail is for the alarms of a service that is scaled; write --scale too")
	}
	return nil
}

// scaledIn finds the services that are to be scaled, and the target group of each.
func (f *initFlags) scaledIn(seen *inventory.Inventory) (all []scaled, err error) {
	for _, name := range f.scale {
		cluster, service, _ := strings.Cut(name, "/")
		c := seen.Cluster(cluster)
		if c == nil || c.Service(service) == nil {
			return nil, fmt.Errorf("service %s does not exist or cannot be read%s; check the names, the Region (%s) and the credentials", name,
				whyUnread(seen, cluster), seen.Region)
		}
		v := scaled{cluster: cluster, service: service, desired: c.Service(service).Desired}
		for _, b := range c.Service(service).LoadBalancers {
			if g := seen.TargetGroup(b.TargetGroup); v.group == "" && g != nil && strings.HasPrefix(g.Protocol, "HTTP") {
				v.group = string(b.TargetGroup)[strings.LastIndex(string(b.TargetGroup), ":")+1:]
			}
		}
		switch {
		case v.group == "":
			return nil, fmt.Errorf("service %s has no target group of an Application Load Balancer that can be read, and so no alarm can be made on its "+
				"requests; write its scaling by hand: docs/reference/scaling.md has queues, metrics and other alarms", name)
		case len(v.rule(f.name)) > longestRule:
			return nil, fmt.Errorf("%s is too long for the name of a rule, which takes %d characters; give another --name", v.rule(f.name), longestRule)
		}
		all = append(all, v)
	}
	return all, nil
}

// scaling writes the services into the configuration.
func (s setup) scaling(b *strings.Builder) {
	if len(s.services) > 0 {
		b.WriteString("scaling: # check min and max; docs/reference/scaling.md has every key\n")
	}
	for _, v := range s.services {
		fmt.Fprintf(b, "  - %s\n", v.settings(s.name))
	}
}

// scaleFiles are the template and the parameters of each service, and what of them the user has to fill in.
func (s setup) scaleFiles(dir string) (files []file, missing []string, err error) {
	for i, v := range s.services {
		if i == 0 {
			files = append(files, file{scaleTemplateFile, deploy.Template("scale")})
		}
		all := []parameter{
			{"Ebb", s.name}, {"OfStack", fmt.Sprint(s.shape != shapeServe)}, {"Cluster", v.cluster}, {"Service", v.service}, {"TargetGroup", v.group},
		}
		if s.mail != "" {
			all = append(all, parameter{"Mail", s.mail})
		}
		text, open, err := merged(filepath.Join(dir, v.parametersFile(s.name)), "scale", all)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file{v.parametersFile(s.name), text})
		for _, name := range open {
			missing = append(missing, fmt.Sprintf("%s of %s/%s", name, v.cluster, v.service))
		}
	}
	return files, missing, nil
}

// scaleStacks deploys the stacks of the services, once Ebb is there.
func (s setup) scaleStacks(out *script, dir string) {
	if len(s.services) > 0 {
		out.comment("what Ebb scales; first write High and Low into the parameters: requests a minute for each task")
	}
	for _, v := range s.services {
		out.run(s.at().Deploy(v.stack(s.name), filepath.Join(dir, scaleTemplateFile), filepath.Join(dir, v.parametersFile(s.name))))
	}
}

// scaleRemoval deletes them, before what they use.
func (s setup) scaleRemoval(out *script) {
	for _, v := range s.services {
		out.run(s.at().DeleteStack(v.stack(s.name)))
		out.run(s.at().StackDeleted(v.stack(s.name)))
	}
}

// scaledClusters are the clusters of the services that are in no list yet.
func (s setup) scaledClusters(clusters []string) []string {
	for _, v := range s.services {
		if !slices.Contains(clusters, v.cluster) {
			clusters = append(clusters, v.cluster)
		}
	}
	return clusters
}
