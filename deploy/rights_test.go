package deploy_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/iam"
)

var update = flag.Bool("update", false, "write the statements of ebb iam into the templates")

// The lines between which the statements stand.
const (
	from = "  # The statements are those of \"ebb iam\". go test ./deploy -update rewrites them, from here ...\n"
	to   = "  # ... to here.\n"
)

// modes are the shapes and what ebb iam calls them.
var modes = map[string]iam.Mode{"lambda": iam.Lambda, "service": iam.Serve}

// templateScope is the scope of a template, with placeholders for Fn::Sub.
func templateScope(shape string) iam.Scope {
	s := iam.Scope{
		Partition: "${AWS::Partition}", Region: "${AWS::Region}", Account: "${AWS::AccountId}", Clusters: []string{"${Cluster}"}, Groups: []string{"${Group}"},
		Queue: "${Queue.Arn}", Table: "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Table}",
	}
	if shape == "lambda" {
		s.LogGroup = "/aws/lambda/${AWS::StackName}"
	}
	return s
}

// rights are the kinds of policies as YAML: one of the role, one a group, one a cluster; and what telling people takes, of the role and a
// cluster.
func rights(shape string) string {
	scope := templateScope(shape)
	all := iam.Policy(modes[shape], scope).Statement
	scope.Notices = iam.Notices{Topics: []string{"${NoticeTopic}"}, Why: true}
	telling := iam.Policy(modes[shape], scope).Statement[len(all):]
	var b strings.Builder
	of := func(all []iam.Statement, placeholder string) (found []iam.Statement) {
		for _, s := range all {
			text := fmt.Sprint(s)
			mine := placeholder != "" && strings.Contains(text, placeholder)
			mine = mine || placeholder == "" && !strings.Contains(text, "${Cluster}") && !strings.Contains(text, "${Group}")
			if mine {
				found = append(found, s)
			}
		}
		return found
	}
	b.WriteString("\n")
	writePolicy(&b, 2, "RolePolicy", "", "ebb", of(all, ""))
	forEach := func(what, each, condition string, statements []iam.Statement) {
		fmt.Fprintf(&b, "\n  Fn::ForEach::%s%sPolicies:\n    - %[2]s\n    - !Ref %[2]ss\n    - ", what, each)
		var policy strings.Builder
		name := strings.ToLower(strings.TrimPrefix(what+"-", "-") + each)
		writePolicy(&policy, 6, what+each+"Policy&{"+each+"}", condition, "!Sub "+name+"-${"+each+"}", statements)
		b.WriteString(strings.TrimLeft(policy.String(), " "))
	}
	forEach("", "Group", "HasGroups", of(all, "${Group}"))
	forEach("", "Cluster", "", of(all, "${Cluster}"))
	b.WriteString("\n")
	writePolicy(&b, 2, "NoticePolicy", "Tells", "notices", of(telling, ""))
	forEach("Notice", "Cluster", "Tells", of(telling, "${Cluster}"))
	b.WriteString("\n")
	return b.String()
}

// scaleRights are what Ebb may do besides where it scales a service.
func scaleRights(shape string) string {
	scope := templateScope(shape)
	scope.Groups, scope.NoGroups = nil, true
	base := iam.Policy(modes[shape], scope).Statement
	scope.Scales, scope.Counts = true, []string{"${Cluster}/${Service}"}
	var more []iam.Statement
	for _, s := range iam.Policy(modes[shape], scope).Statement {
		if i := slices.IndexFunc(base, func(b iam.Statement) bool { return b.Sid == s.Sid }); i >= 0 {
			s.Action = slices.DeleteFunc(s.Action, func(a string) bool { return slices.Contains(base[i].Action, a) })
		}
		if len(s.Action) > 0 {
			more = append(more, s)
		}
	}
	var b strings.Builder
	b.WriteString("\n")
	writePolicy(&b, 2, "ScalePolicy", "HasRole", "!Sub scale-${Cluster}-${Service}", more)
	b.WriteString("\n")
	return strings.Replace(b.String(), "RoleName: !Ref Role\n", "RoleName:\n        Fn::ImportValue: !Sub ${Ebb}-role\n", 1)
}

func writePolicy(b *strings.Builder, indent int, id, condition, name string, statements []iam.Statement) {
	line := func(deeper int, format string, args ...any) {
		b.WriteString(strings.Repeat(" ", indent+deeper) + fmt.Sprintf(format, args...) + "\n")
	}
	list := func(deeper int, items []string) {
		for _, i := range items {
			switch {
			case i == "*":
				i = `"*"`
			case strings.Contains(i, "${"):
				i = `!Sub "` + i + `"`
			}
			line(deeper, "- %s", i)
		}
	}
	line(0, "%s:", id)
	line(2, "Type: AWS::IAM::RolePolicy")
	if condition != "" {
		line(2, "Condition: %s", condition)
	}
	line(2, "Properties:")
	line(4, "RoleName: !Ref Role")
	line(4, "PolicyName: %s", name)
	line(4, "PolicyDocument:")
	line(6, `Version: "2012-10-17"`)
	line(6, "Statement:")
	for _, s := range statements {
		line(8, "- Sid: %s", s.Sid)
		line(10, "Effect: %s", s.Effect)
		line(10, "Action:")
		list(12, s.Action)
		line(10, "Resource:")
		list(12, s.Resource)
		if len(s.Condition) > 0 {
			line(10, "Condition:")
		}
		for _, operator := range slices.Sorted(maps.Keys(s.Condition)) {
			line(12, "%s:", operator)
			for _, key := range slices.Sorted(maps.Keys(s.Condition[operator])) {
				line(14, "%s:", key)
				list(16, s.Condition[operator][key])
			}
		}
	}
}

// TestRightsAreWritten holds the text of the templates against ebb iam; what they come to is TestRolesAreWhatIAMSays's.
func TestRightsAreWritten(t *testing.T) {
	if scaleRights("lambda") != scaleRights("service") {
		t.Error("a function and a service need other rights to scale, and there is one template")
	}
	for shape, want := range map[string]string{"lambda": rights("lambda"), "service": rights("service"), "scale": scaleRights("service")} {
		text := deploy.Template(shape)
		before, rest, ok := strings.Cut(text, from)
		_, after, ok2 := strings.Cut(rest, to)
		if !ok || !ok2 {
			t.Fatalf("%s.yaml has not both of the lines %q and %q", shape, from, to)
		}
		want := before + from + want + to + after
		if text == want {
			continue
		}
		if !*update {
			t.Errorf("%s.yaml does not have the statements of ebb iam; run: go test ./deploy -update", shape)
			continue
		}
		if err := os.WriteFile(shape+".yaml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
